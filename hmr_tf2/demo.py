"""Recovers the people in pictures and videos, and writes drawings, meshes and numbers of them.

python -m hmr_tf2.demo --load_path=models/model.ckpt-667589 --img_path=picture.jpg
"""

import dataclasses
import functools
import pathlib

from hmr_tf2 import commands
from hmr_tf2.capture.command import (
    CaptureSettings,
    box_source,
    check_for_one,
    finish,
    folders_of,
    summary,
)
from tfrecords_tools.files import check_folder
from tfrecords_tools.settings import check_settings, setting

QUICKSTART_RUN = pathlib.Path("quickstart_out/run")
WEBCAM_FRAMES = 300
FRAMES_FPS = 25.0


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
        "Number of a camera to use instead. With --show the bodies are seen live, and q ends it; "
        "Ctrl-C does so too.",
        "input",
        minimum=0,
    )
    max_frames: int | None = setting(
        None,
        "Number of frames to use; the default is all frames of a video, and of a webcam "
        f"{WEBCAM_FRAMES}, or with --show as many as come.",
        "input",
        minimum=1,
    )

    frames: bool = setting(
        False, "Take the pictures of --img_path as the frames of one video.", "input"
    )
    fps: float | None = setting(
        None,
        f"Frames per second of the video that --frames means; the default is {FRAMES_FPS:g}.",
        "input",
        above=0,
        maximum=1000,
    )

    height_m: str | None = setting(
        None,
        "Height of the people in metres; separate the heights of several by ';', in the order of "
        "their numbers. Without it, the network's guess decides how far away they are.",
        "people",
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
        if self.frames and self.webcam is not None:
            raise ValueError("--frames is for --img_path, and not for --webcam.")
        if self.fps and not self.frames:
            raise ValueError(
                "--fps is for --frames only; videos say themselves how fast they are."
            )
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
    from hmr_tf2.capture.height import KnownHeights, parse_heights
    from hmr_tf2.capture.results_file import ResultsFile

    out = check_folder(settings.out_dir)
    source = box_source(settings)
    known = parse_heights(settings.height_m) if settings.height_m else KnownHeights()
    pictures, videos = _to_see(settings, out)
    files = [*pictures, *(video.path for video in videos)]
    check_for_one(settings, source, files)
    devices.log_devices()
    predictor = loading.load_predictor(
        settings.load_path,
        settings.smpl_model_path,
        settings.batch_size,
        settings.keypoint_regressor,
    )
    folders = folders_of(files, out)
    with ResultsFile(out, predictor.faces, settings.load_path, files) as results:
        _see(settings, known, pictures, videos, folders, predictor, source, results)
    print(summary(out, folders, results))
    finish(settings, folders, results)


def _to_see(settings, out):
    """The pictures, and the videos; a webcam's is recorded while it is seen."""
    from hmr_tf2.capture import sources

    if settings.webcam is not None:
        return [], [sources.VideoFile(out / "webcam.mp4")]
    if settings.frames:
        return [], [sources.frame_folder(settings.img_path, settings.fps or FRAMES_FPS)]
    files = sources.find_files(settings.img_path)
    pictures = [path for path in files if not sources.is_video(path)]
    return pictures, [sources.VideoFile(path) for path in files if sources.is_video(path)]


def _see(settings, known, pictures, videos, folders, predictor, source, results):
    """Sees all pictures and videos; those that fail are noted in `results`."""
    from hmr_tf2.capture import height, live_run, picture_run, smoothing, video_run

    if pictures:
        some = {path: folders[path] for path in pictures}
        change = functools.partial(height.apply_to_seen, known, predictor)
        picture_run.run(
            some,
            predictor,
            source,
            results,
            settings.focal_length,
            change if known.metres else None,
        )
    how = video_run.Writing(
        settings.focal_length,
        [smoothing.smooth_log] if settings.smooth else [],
        known,
    )
    for video in videos:
        folder = folders[video.path]
        try:
            if settings.webcam is None:
                video_run.run(video, folder, predictor, source, results, how, settings.max_frames)
            else:
                count = settings.max_frames or (None if settings.show else WEBCAM_FRAMES)
                live_run.run(
                    settings.webcam, video, folder, predictor, source, results, how,
                    count, settings.show,
                )  # fmt: skip
        except (ValueError, OSError) as error:
            results.fail(video.path, error)


def program() -> None:
    """The program `hmr-demo`."""
    commands.run(main, DemoSettings, __doc__, positional="img_path")


if __name__ == "__main__":
    program()
