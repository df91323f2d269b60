"""Exports a trained model as a SavedModel for TF Serving, and checks it.

python -m hmr_tf2.export --load_path=RUN --export_dir=serving/hmr
"""

import dataclasses

from hmr_tf2 import commands
from tfrecords_tools.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """What to export, and where to."""

    load_path: str | None = setting(
        None, "A run's folder, one of its checkpoints, or a TF 1 HMR checkpoint.", "export"
    )
    export_dir: str | None = setting(None, "Folder of the versions; one is added.", "export")
    version: int | None = setting(
        None, "Number of the version; none means the next one.", "export", minimum=1
    )
    no_vertices: bool = setting(
        False, "Leave `verts` out of the answers: 2 KB a picture rather than 84.", "export"
    )
    smpl_model_path: str | None = setting(
        None, "SMPL file; needed only where the run's own is gone.", "export"
    )

    precision: str = setting(
        "float32",
        "Of the encoder; the rest is float32. bfloat16 is faster on CPUs with "
        "AVX512_BF16 or AMX, and rounds.",
        "speed",
        choices=("float32", "bfloat16"),
    )
    fold_batch_norm: bool = setting(
        True, "Merge batch norms with the convolutions before them; equal to rounding.", "speed"
    )

    def __post_init__(self):
        check_settings(self)
        if not self.load_path:
            raise ValueError(
                "--load_path is needed: a training run's folder, or the authors' "
                "model.ckpt-667589. `python -m hmr_tf2.quickstart` trains a small one."
            )
        if not self.export_dir:
            raise ValueError("--export_dir is needed: the folder that gets <version>/.")


def main(settings: ExportSettings) -> None:
    import tensorflow as tf  # takes seconds that --help should not

    from hmr_tf2 import loading, serving
    from hmr_tf2.serving.export_check import BFLOAT16_TOLERANCE, TOLERANCE
    from hmr_tf2.serving.fast_encoder import fast_encoder

    model = loading.load_model(settings.load_path, settings.smpl_model_path)
    dtype = tf.as_dtype(settings.precision)
    tolerance = TOLERANCE if dtype == tf.float32 else BFLOAT16_TOLERANCE
    folder = serving.export(
        model, settings.export_dir, settings.version, vertices=not settings.no_vertices,
        encoder=fast_encoder(model.encoder, dtype, settings.fold_batch_norm), tolerance=tolerance,
    )  # fmt: skip
    print(
        f"Wrote {folder}; reloaded, it gives the Keras model's numbers to {tolerance:g} of "
        "each output's largest, at least 1."
    )
    print(
        f"Look at it: saved_model_cli show --dir {folder} --tag_set serve "
        "--signature_def serving_default"
    )
    print(f"Serve it: docker compose -f {folder.parent / 'server' / 'docker-compose.yml'} up")


if __name__ == "__main__":
    commands.run(main, ExportSettings, __doc__)
