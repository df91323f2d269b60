"""Recovers the people in pictures and videos, and writes drawings, meshes and numbers of them.

python -m hmr_tf2.demo --load_path=models/model.ckpt-667589 --img_path=picture.jpg
"""

import dataclasses
import pathlib

from hmr_tf2 import commands
from hmr_tf2.capture.command import CaptureSettings, box_source, finish, folders_of, summary
from tfrecords_tools.files import check_folder
from tfrecords_tools.settings import check_settings, setting

QUICKSTART_RUN = pathlib.Path("quickstart_out/run")
WEBCAM_FRAMES = 300


@dataclasses.dataclass(frozen=True)
class DemoSettings(CaptureSettings):
    """What to look at, with which network, and what to write."""

    img_path: str | None = setting(
        None,
        "Picture or video to read, a folder of them, or a pattern such as 'in/*.jpg'.",
        "input",
    )
    webcam: int | None = setting(
        None,
        "Number of a camera to use instead; --max_frames frames are recorded from it first.",
        "input",
        minimum=0,
    )
    max_frames: int | None = setting(
        None,
        "Number of frames to use; the default is all frames of a video, and "
        f"{WEBCAM_FRAMES} of a webcam.",
        "input",
        minimum=1,
    )

    load_path: str | None = setting(
        None,
        "The network: a training run's folder, a checkpoint, a TF 1 checkpoint of HMR, or the "
        "folder of a SavedModel.",
        "network",
    )
    smpl_model_path: str | None = setting(
        None, "Path of the SMPL file; needed only if --load_path does not lead to one.", "network"
    )
    keypoint_regressor: str | None = setting(
        None,
        "File of the keypoints, for an SMPL file that has none; needed only if --load_path does "
        "not lead to it.",
        "network",
    )
    batch_size: int = setting(
        16, "Number of people that the network looks at together.", "network", minimum=1
    )

    out_dir: str = setting("demo_out", "Folder to write the results to.", "output")
    smooth: bool = setting(
        False, "Smooth the motions in videos with the one-euro filter.", "output"
    )

    def __post_init__(self):
        check_settings(self)
        if (self.img_path is None) == (self.webcam is None):
            raise ValueError("Give either --img_path or --webcam, to say what to look at.")
        if not self.load_path:
            raise ValueError(no_load_path())


def no_load_path() -> str:
    """The message that says how to get a network."""
    lines = ["--load_path is needed: the network that recovers bodies."]
    if QUICKSTART_RUN.is_dir():
        lines.append(f"The quickstart left one here: --load_path={QUICKSTART_RUN}")
    else:
        lines.append(
            "To train a small one in minutes: python -m hmr_tf2.quickstart, "
            f"then --load_path={QUICKSTART_RUN}"
        )
    lines.append(
        "To use the authors' network: download it (see the README), "
        "then --load_path=models/model.ckpt-667589"
    )
    return "\n".join(lines)


def main(settings: DemoSettings) -> None:
    # Importing TensorFlow takes seconds, which --help should not.
    from hmr_tf2 import devices, loading
    from hmr_tf2.capture import picture_run, sources, video_run
    from hmr_tf2.capture.results_file import ResultsFile

    out = check_folder(settings.out_dir)
    source = box_source(settings)
    if settings.webcam is None:
        files = sources.find_files(settings.img_path)
    else:
        files = [out / "webcam.mp4"]
    devices.log_devices()
    if settings.webcam is not None:
        sources.record_webcam(settings.webcam, files[0], settings.max_frames or WEBCAM_FRAMES)
    if source is not None and source.is_for_one and len(files) > 1:
        raise ValueError(
            "--bbox, or a single OpenPose file, is for one picture; --img_path means "
            f"{len(files)} files. Give the folder of all OpenPose files as --json_path."
        )
    predictor = loading.load_predictor(
        settings.load_path,
        settings.smpl_model_path,
        settings.batch_size,
        settings.keypoint_regressor,
    )
    folders = folders_of(files, out)
    with ResultsFile(out, predictor.faces, settings.load_path, files) as results:
        pictures = {path: folders[path] for path in files if not sources.is_video(path)}
        if pictures:
            picture_run.run(pictures, predictor, source, results, settings.focal_length)
        for path in filter(sources.is_video, files):
            try:
                video_run.run(
                    path,
                    folders[path],
                    predictor,
                    source,
                    results,
                    settings.focal_length,
                    settings.smooth,
                    settings.max_frames,
                )
            except (ValueError, OSError) as error:
                results.fail(path, error)
    print(summary(out, folders, results))
    finish(settings, folders, results)


def program() -> None:
    """The program `hmr-demo`."""
    commands.run(main, DemoSettings, __doc__, positional="img_path")


if __name__ == "__main__":
    program()
