"""What `--img_path` names: picture files, video files, and the frames of a video or webcam."""

import glob
import itertools
import os
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from absl import logging

from hmr_tf2 import pictures
from hmr_tf2.visualization.video_file import video_writer
from tfrecords_tools import video
from tfrecords_tools.images import BadSampleError

PICTURE_SUFFIXES = pictures.SUFFIXES
RAW_SUFFIXES = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2", ".srw", ".pef")
# What programs leave in folders by themselves; macOS begins the names of its own with "._".
CLUTTER = ("thumbs.db", "desktop.ini")
# So many files that are left out are named for each reason.
MAX_NAMED = 5
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
FALLBACK_FPS = 30.0
MAX_FPS = 1000.0


class VideoInfo(NamedTuple):
    """`size` (width, height) in pixels, and the frame rate `fps` in frames per second.

    `num_frames` is the number in the header, or was counted if the header has none.
    """

    size: tuple[int, int]
    fps: float
    num_frames: int


def find_files(img_path: str) -> list[pathlib.Path]:
    """The files that `img_path` (a file, a folder or a pattern such as 'in/*.jpg') means, sorted.

    In a folder, these are the files that have the suffix of a picture or video. What else is there
    is logged with the reason why it is left out.

    Raises:
        FileNotFoundError: there are none.
    """
    path = pathlib.Path(img_path)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if not _is_clutter(p))
        problem = "the folder holds no picture or video"
    else:
        found = sorted([path] if path.exists() else map(pathlib.Path, glob.glob(img_path)))
        problem = "there is no such file or folder, and no file matches it as a pattern"
    reasons = {p: _why_left_out(p, path.is_dir()) for p in found}
    files = [p for p, reason in reasons.items() if reason is None]
    left_out = _left_out(reasons)
    if not files:
        raise FileNotFoundError(
            f"--img_path={img_path}: {problem}{f'; left out {left_out}' if left_out else ''}."
        )
    if left_out:
        logging.warning("--img_path=%s: left out %s.", img_path, left_out)
    return files


def _is_clutter(path: pathlib.Path) -> bool:
    """Whether it is a file that no one put there, or a hidden one that is no picture or video."""
    if path.name.startswith("._") or path.name.lower() in CLUTTER:
        return True
    return path.name.startswith(".") and _suffix(path) not in PICTURE_SUFFIXES + VIDEO_SUFFIXES


def _why_left_out(path: pathlib.Path, by_suffix: bool) -> str | None:
    """Why a file is not read, None if it is; `by_suffix` says whether its suffix decides."""
    suffix = _suffix(path)
    if path.is_dir():
        return "because folders in it are not entered"
    if not path.is_file():
        return "because it is not a file, or a link to nothing"
    if not by_suffix or suffix in PICTURE_SUFFIXES + VIDEO_SUFFIXES:
        return None
    if suffix in RAW_SUFFIXES:
        return "because a camera's raw pictures must be developed first (to JPEG, say)"
    if not suffix:
        return "because a name without a suffix such as .jpg tells no picture or video"
    return f"because {suffix} is not the suffix of a picture or video"


def _left_out(reasons: dict[pathlib.Path, str | None]) -> str:
    """A list of the files that have a reason, by reason; empty if there are none."""
    groups: dict[str, list[str]] = {}
    for path, reason in reasons.items():
        if reason is not None:
            groups.setdefault(reason, []).append(path.name)
    return "; ".join(
        f"{', '.join(names[:MAX_NAMED])}"
        f"{f' and {len(names) - MAX_NAMED} more' if len(names) > MAX_NAMED else ''} {reason}"
        for reason, names in groups.items()
    )


def is_video(path: pathlib.Path) -> bool:
    """Whether the file has the suffix of a video."""
    return _suffix(path) in VIDEO_SUFFIXES


def video_info(path: str | os.PathLike) -> VideoInfo:
    """Reads the first frame and the header.

    Raises:
        OSError: there is no such file.
        ValueError: it is not a video, or has no frame.
    """
    first = next(frames(path), None)
    if first is None:
        raise ValueError(f"{path} has no frame that can be read.")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    fps, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    capture.release()
    if not 0 < fps <= MAX_FPS:
        logging.warning(
            "%s does not state its frame rate; assuming %g frames per second.", path, FALLBACK_FPS
        )
        fps = FALLBACK_FPS
    count = int(count) if count > 0 else sum(1 for _ in frames(path))
    return VideoInfo(first.shape[1::-1], float(fps), count)


def frames(path: str | os.PathLike, limit: int | None = None) -> Iterator[np.ndarray]:
    """Yields the frames of a video as RGB uint8 [H, W, 3], upright, at most `limit`.

    Raises:
        OSError: there is no such file.
        ValueError: it is not a video.
    """
    numbers = itertools.count() if limit is None else range(limit)
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"There is no video at {path}.")
    try:
        for _, picture in video.frames(pathlib.Path(path), numbers):
            yield picture
    except BadSampleError:
        raise ValueError(f"{path} is not a video that can be read.") from None


def record_webcam(device: int, path: pathlib.Path, num_frames: int) -> None:
    """Records the camera `device` to an MP4 file; Ctrl-C ends it early.

    Raises:
        OSError: there is no such camera, or it delivers no pictures.
    """
    camera = cv2.VideoCapture(device)
    try:
        ok, picture = camera.read()
        if not ok:
            raise OSError(f"--webcam={device}: no camera with this number delivers pictures.")
        fps = camera.get(cv2.CAP_PROP_FPS)
        fps = fps if 0 < fps <= MAX_FPS else FALLBACK_FPS
        logging.info(
            "Recording %.0f seconds from camera %d; Ctrl-C ends it.", num_frames / fps, device
        )
        with video_writer(path, picture.shape[1::-1], fps) as append:
            try:
                for _ in range(num_frames):
                    append(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
                    ok, picture = camera.read()
                    if not ok:
                        break
            except KeyboardInterrupt:
                logging.info("Recording ended.")
    finally:
        camera.release()


def _suffix(path: pathlib.Path) -> str:
    return path.suffix.lower()
