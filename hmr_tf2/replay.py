"""Finds the operation that made a training run's step NaN or infinite.

python -m hmr_tf2.replay --load_path=RUN RUN/failed_batch_N.npz

Restores the run's newest weights from before step N, runs the steps between again where the run's
records are there, and then step N with TensorFlow's numeric checks. Names the first array, weight,
operation or gradient that is not finite, and writes the same beside the file as replay_N.txt.
"""

import dataclasses
import pathlib

from hmr_tf2 import commands
from tfrecords_tools.paths import path_of
from tfrecords_tools.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class ReplaySettings:
    """Which step, of which run."""

    batch_file: str | None = setting(
        None,
        "The failed_batch_N.npz that the run wrote. --batch_file= in front of it may be left out.",
        "step",
    )
    load_path: str | None = setting(
        None,
        "The run's folder, or one of its checkpoints. By default, the folder of the file.",
        "step",
    )
    catch_up: bool = setting(
        True,
        "Run the steps between the checkpoint and the failed one first, from the records.",
        "step",
    )
    data_dir: str | None = setting(
        None, "Folder of the run's records, if they are no longer where they were.", "files"
    )
    smpl_model_path: str | None = setting(
        None, "The run's SMPL file, if it is no longer where it was.", "files"
    )
    keypoint_regressor: str | None = setting(
        None, "The run's file of keypoints, if it is no longer where it was.", "files"
    )

    def __post_init__(self):
        check_settings(self)
        if not self.batch_file:
            raise ValueError(
                "A file is needed: python -m hmr_tf2.replay --load_path=RUN "
                "RUN/failed_batch_N.npz, the one that the run wrote when it stopped."
            )


def main(settings: ReplaySettings) -> None:
    # TensorFlow takes seconds that --help should not.
    from hmr_tf2 import devices
    from hmr_tf2.hmr.system import HMR_SYSTEM
    from hmr_tf2.training import failures, replay, replay_report
    from tfrecords_tools.files import write_text

    failed = failures.read_failed_batch(_path_of(settings))
    load_path = settings.load_path or failed.path.parent
    config = replay.run_settings(
        load_path,
        HMR_SYSTEM,
        data_dir=settings.data_dir,
        smpl_model_path=settings.smpl_model_path,
        keypoint_regressor=settings.keypoint_regressor,
    )
    devices.log_devices()
    found = replay.replay(config, HMR_SYSTEM, failed, load_path, settings.catch_up)
    text = replay_report.as_text(found)
    print(f"\n{text}")
    written = failed.path.with_name(f"replay_{failed.step}.txt")
    write_text(written, text)
    print(f"Written to {written}")


def _path_of(settings: ReplaySettings) -> pathlib.Path:
    """The file as it is given, or of that name in the run's folder."""
    path = path_of(settings.batch_file)
    in_run = path_of(settings.load_path or "", settings.batch_file)
    return in_run if not path.is_file() and in_run.is_file() else path


if __name__ == "__main__":
    commands.run(main, ReplaySettings, __doc__, positional="batch_file")
