"""Exports a trained model as a SavedModel for TF Serving, and checks it.

python -m hmr_tf2.export --load_path=RUN --export_dir=serving/hmr
"""

import dataclasses

from hmr_tf2 import commands
from hmr_tf2.config import check_settings, setting


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
    smpl_model_path: str | None = setting(
        None, "SMPL file; needed only where the run's own is gone.", "export"
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
    from hmr_tf2 import loading, serving  # TensorFlow takes seconds that --help should not

    model = loading.load_model(settings.load_path, settings.smpl_model_path)
    folder = serving.export(model, settings.export_dir, settings.version)
    print(f"Wrote {folder}; reloaded, it gives the same numbers as the Keras model.")
    print(f"Look at it: saved_model_cli show --dir {folder} --tag_set serve "
          "--signature_def serving_default")


if __name__ == "__main__":
    commands.run(main, ExportSettings, __doc__)
