"""Exports a trained model as a SavedModel for TF Serving, and checks it.

python -m hmr_tf2.export --load_path=RUN --export_dir=serving/hmr
"""

import dataclasses

from hmr_tf2 import commands
from tfrecords_tools.files import check_folder
from tfrecords_tools.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """What to export, and where to."""

    load_path: str | None = setting(
        None,
        "The model: a training run's folder, one of its checkpoints, or a TF 1 checkpoint of HMR.",
        "export",
    )
    export_dir: str | None = setting(
        None,
        "Folder of the exported versions, to which the export adds one; an address such as "
        "gs://bucket/hmr will do.",
        "export",
    )
    version: int | None = setting(
        None, "Number of the version; the default is the next free one.", "export", minimum=1
    )
    no_vertices: bool = setting(
        False,
        "Leave `verts` out of the answers, which makes them 2 KB per picture rather than 84.",
        "export",
    )
    smpl_model_path: str | None = setting(
        None, "Path of the SMPL file; needed only if the run's own file is gone.", "export"
    )
    keypoint_regressor: str | None = setting(
        None,
        "File of the keypoints, for an SMPL file that has none; needed only if the run's own is "
        "gone.",
        "export",
    )

    precision: str = setting(
        "float32",
        "Precision of the encoder; the rest is always float32. bfloat16 is faster on CPUs with "
        "AVX512_BF16 or AMX, and less precise.",
        "speed",
        choices=("float32", "bfloat16"),
    )
    fold_batch_norm: bool = setting(
        True,
        "Merge batch norms with the convolutions before them; the results are equal up to "
        "rounding.",
        "speed",
    )

    def __post_init__(self):
        check_settings(self)
        if not self.load_path:
            raise ValueError(
                "--load_path is needed: a training run's folder, or the authors' "
                "model.ckpt-667589. `python -m hmr_tf2.quickstart` trains a small one."
            )
        if not self.export_dir:
            raise ValueError("--export_dir is needed: the folder in which <version>/ is made.")


def main(settings: ExportSettings) -> None:
    import tensorflow as tf  # takes seconds, which --help should not

    from hmr_tf2 import devices, loading, serving
    from hmr_tf2.checkpoints import run_folder
    from hmr_tf2.serving.export_check import BFLOAT16_TOLERANCE, TOLERANCE
    from hmr_tf2.serving.fast_encoder import fast_encoder

    check_folder(settings.export_dir, or_address=True)
    checkpoint = run_folder.checkpoint_prefix(settings.load_path)
    devices.log_devices()
    model = loading.load_model(checkpoint, settings.smpl_model_path, settings.keypoint_regressor)
    dtype = tf.as_dtype(settings.precision)
    tolerance = TOLERANCE if dtype == tf.float32 else BFLOAT16_TOLERANCE
    folder = serving.export(
        model, settings.export_dir, settings.version, vertices=not settings.no_vertices,
        encoder=fast_encoder(model.encoder, dtype, settings.fold_batch_norm), tolerance=tolerance,
    )  # fmt: skip
    print(
        f"Wrote {folder}; after reloading, each output equals the Keras model's to within "
        f"{tolerance:g} of its largest value or of 1, if that is larger."
    )
    print(
        f"To inspect it: saved_model_cli show --dir {folder} --tag_set serve "
        "--signature_def serving_default"
    )
    print(f"To serve it: docker compose -f {folder.parent / 'server' / 'docker-compose.yml'} up")


def program() -> None:
    """The program `hmr-export`."""
    commands.run(main, ExportSettings, __doc__)


if __name__ == "__main__":
    program()
