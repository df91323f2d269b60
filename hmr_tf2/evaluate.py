"""Evaluates a model on people whose joints are known: Human3.6M, MPI-INF-3DHP, 2-D data sets.

python -m hmr_tf2.evaluate --flagfile=flags/evaluate_h36m.cfg --data_dir=DATA --load_path=RUN

For each data set it writes a page to look at, results.json and frames.csv to --out_dir. The
predictions are kept there, too: if it was stopped, the same command continues, and if it is
repeated, it predicts only what another model, other records or other settings make necessary.
docs/evaluation.md says what is computed.
"""

import dataclasses

from hmr_tf2 import commands
from tfrecords_tools.datasets import DATASETS
from tfrecords_tools.files import check_folder
from tfrecords_tools.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class EvaluateSettings:
    """Which model to evaluate, on which data, and what to write."""

    load_path: str | None = setting(
        None,
        "Model to evaluate: a run's folder, one of its checkpoints, a TF 1 HMR checkpoint, or a "
        "SavedModel's folder.",
        "model",
    )
    smpl_model_path: str | None = setting(
        None, "SMPL file; needed only if --load_path does not tell which one.", "model"
    )
    keypoint_regressor: str | None = setting(
        None,
        "File of the keypoints, for an SMPL file that has none; needed only if --load_path does "
        "not lead to it.",
        "model",
    )

    data_dir: str | None = setting(
        None, "Folder of the records that convert_datasets wrote.", "data"
    )
    datasets: tuple[str, ...] = setting(
        ("h36m",), "Data sets to evaluate on, one after the other.", "data", choices=DATASETS
    )
    protocol: int = setting(
        1,
        "Protocol of Human3.6M: 1 takes all cameras and trials, 2 the frontal camera and trial 0 "
        "only. Other data sets ignore it.",
        "data",
        choices=(1, 2),
    )
    split: str = setting(
        "test",
        "People to evaluate on: those set aside for testing, or those that are trained on.",
        "data",
        choices=("test", "train"),
    )
    frame_step: int = setting(
        1,
        "Evaluate one of so many frames of each recording; above 1 for a quick look.",
        "data",
        minimum=1,
    )

    batch_size: int = setting(
        32,
        "Number of crops predicted at once. It does not change the results.",
        "run",
        minimum=1,
    )
    overwrite: bool = setting(
        False, "Predict again, even if --out_dir already holds the predictions.", "run"
    )

    out_dir: str = setting("evaluation", "Folder for predictions and reports.", "results")
    num_pictures: int = setting(
        30,
        "Number of pictures of the largest errors, and of the smallest; 0 means none.",
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
    from hmr_tf2 import devices, loading
    from hmr_tf2.evaluation import protocols, run

    check_folder(settings.out_dir)
    found = [
        protocols.find(settings.data_dir, dataset, settings.protocol, settings.split)
        for dataset in settings.datasets
    ]
    # Resolved once, since a run that is still training gets newer checkpoints meanwhile.
    path, files = loading.model_files(
        settings.load_path, settings.smpl_model_path, settings.keypoint_regressor
    )
    devices.log_devices()
    predictor = loading.load_predictor(
        path, settings.smpl_model_path, settings.batch_size, settings.keypoint_regressor
    )
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


def program() -> None:
    """The program `hmr-evaluate`."""
    commands.run(main, EvaluateSettings, __doc__)


if __name__ == "__main__":
    program()
