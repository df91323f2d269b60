"""Evaluates a model on people whose joints are known: Human3.6M, MPI-INF-3DHP, 2-D data sets.

python -m hmr_tf2.evaluate --flagfile=flags/evaluate_h36m.cfg --data_dir=DATA --load_path=RUN

Writes a page to look at, results.json and frames.csv for each data set to --out_dir. Predictions
are kept there too: stopped, the same command continues; repeated, it predicts only what another
model, other records or other settings make necessary. docs/evaluation.md says what is computed.
"""

import dataclasses

from hmr_tf2 import commands
from tfrecords_tools.datasets import DATASETS
from tfrecords_tools.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class EvaluateSettings:
    """Which model, on what, and what to write."""

    load_path: str | None = setting(
        None,
        "A run's folder, one of its checkpoints, a TF 1 HMR checkpoint, or a SavedModel's folder.",
        "model",
    )
    smpl_model_path: str | None = setting(
        None, "SMPL file; needed only where it is not told by --load_path.", "model"
    )

    data_dir: str | None = setting(None, "Folder that convert_datasets wrote.", "data")
    datasets: tuple[str, ...] = setting(
        ("h36m",), "Data sets to evaluate on, one after the other.", "data", choices=DATASETS
    )
    protocol: int = setting(
        1,
        "Of Human3.6M: 1 for all cameras and trials, 2 for the frontal camera and trial 0.",
        "data",
        choices=(1, 2),
    )
    split: str = setting(
        "test",
        "People set aside for testing, or those that are trained on.",
        "data",
        choices=("test", "train"),
    )
    frame_step: int = setting(
        1, "Every so many frames of a recording; more than 1 for a quick look.", "data", minimum=1
    )

    batch_size: int = setting(
        32, "Crops predicted at once; does not change the numbers.", "run", minimum=1
    )
    overwrite: bool = setting(False, "Predict anew, whatever is in --out_dir.", "run")

    out_dir: str = setting("evaluation", "Folder of predictions and reports.", "results")
    num_pictures: int = setting(
        30,
        "Pictures of the largest and of the smallest errors; 0 for none.",
        "results",
        minimum=0,
    )

    def __post_init__(self):
        check_settings(self)
        if not self.load_path:
            raise ValueError(
                "--load_path is needed: a training run's folder, the authors' model.ckpt-667589, "
                "or the folder of a SavedModel."
            )
        if not self.datasets:
            raise ValueError(f"--datasets accepts {', '.join(DATASETS)}; got none.")


def main(settings: EvaluateSettings) -> None:
    # TensorFlow takes seconds that --help should not.
    from hmr_tf2 import loading
    from hmr_tf2.evaluation import protocols, run

    found = [
        protocols.find(settings.data_dir, dataset, settings.protocol, settings.split)
        for dataset in settings.datasets
    ]
    # Named once: a run that is still training gets newer checkpoints meanwhile.
    path, files = loading.model_files(settings.load_path, settings.smpl_model_path)
    predictor = loading.load_predictor(path, settings.smpl_model_path, settings.batch_size)
    for protocol in found:
        text, page = run.evaluate(
            protocol,
            predictor,
            path,
            files,
            settings.out_dir,
            frame_step=settings.frame_step,
            overwrite=settings.overwrite,
            num_pictures=settings.num_pictures,
        )
        print(f"\n{text}\n\nLook at it: {page}")


if __name__ == "__main__":
    commands.run(main, EvaluateSettings, __doc__)
