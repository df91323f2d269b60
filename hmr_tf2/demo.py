"""Recovers the people in pictures and videos, and writes what can be looked at and used.

python -m hmr_tf2.demo --load_path=models/model.ckpt-667589 --img_path=picture.jpg
"""

import dataclasses
import pathlib

from hmr_tf2 import commands
from hmr_tf2.capture.command import CaptureSettings, box_source, finish, folders_of, summary
from tfrecords_tools.settings import check_settings, setting

QUICKSTART_RUN = pathlib.Path("quickstart_out/run")
WEBCAM_FRAMES = 300


@dataclasses.dataclass(frozen=True)
class DemoSettings(CaptureSettings):
    """What to look at, with which network, and what to write."""

    img_path: str | None = setting(
        None, "A picture, a video, a folder of them, or a pattern such as 'in/*.jpg'.", "input"
    )
    webcam: int | None = setting(
        None, "Number of a camera: records max_frames frames from it first.", "input", minimum=0
    )
    max_frames: int | None = setting(
        None,
        f"Frames of a video to use; none means all, of a webcam {WEBCAM_FRAMES}.",
        "input",
        minimum=1,
    )

    load_path: str | None = setting(
        None,
        "A run's folder, a checkpoint, a TF 1 HMR checkpoint, or a SavedModel's folder.",
        "network",
    )
    smpl_model_path: str | None = setting(
        None, "SMPL file; needed only where load_path does not tell of one.", "network"
    )
    batch_size: int = setting(16, "People to look at at once.", "network", minimum=1)

    out_dir: str = setting("demo_out", "Folder for the results.", "output")
    smooth: bool = setting(False, "Pass motions in videos through the one-euro filter.", "output")

    def __post_init__(self):
        check_settings(self)
        if (self.img_path is None) == (self.webcam is None):
            raise ValueError("Give either --img_path or --webcam: what is to be looked at.")
        if not self.load_path:
            raise ValueError(no_load_path())


def no_load_path() -> str:
    """How to get a network."""
    lines = ["--load_path is needed: the network that recovers bodies."]
    if QUICKSTART_RUN.is_dir():
        lines.append(f"The quickstart left one here: --load_path={QUICKSTART_RUN}")
    else:
        lines.append(
            "A small one, made in minutes: python -m hmr_tf2.quickstart, "
            f"then --load_path={QUICKSTART_RUN}"
        )
    lines.append(
        "The authors', from their download (see the README): --load_path=models/model.ckpt-667589"
    )
    return "\n".join(lines)


def main(settings: DemoSettings) -> None:
    # TensorFlow and what it brings take seconds that --help should not.
    from hmr_tf2 import loading
    from hmr_tf2.capture import picture_run, sources, video_run
    from hmr_tf2.capture.results_file import ResultsFile

    out = pathlib.Path(settings.out_dir)
    source = box_source(settings)
    if settings.webcam is None:
        files = sources.find_files(settings.img_path)
    else:
        files = [out / "webcam.mp4"]
        sources.record_webcam(settings.webcam, files[0], settings.max_frames or WEBCAM_FRAMES)
    if source is not None and source.is_for_one and len(files) > 1:
        raise ValueError(
            f"--bbox, or one file of OpenPose, is for one picture; --img_path means {len(files)}. "
            "Give --json_path the folder of all files."
        )
    predictor = loading.load_predictor(
        settings.load_path, settings.smpl_model_path, settings.batch_size
    )
    folders = folders_of(files, out)
    with ResultsFile(out, predictor.faces, settings.load_path) as results:
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
                results.fail(str(path), error)
    print(summary(out, folders, results))
    finish(settings, folders, results)


if __name__ == "__main__":
    commands.run(main, DemoSettings, __doc__)
