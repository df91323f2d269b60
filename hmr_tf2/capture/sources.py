"""What `--img_path` names: picture files, video files, and folders of frames."""

import functools
import glob
import itertools
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Protocol

import cv2
import numpy as np
from absl import logging

from hmr_tf2 import pictures
from hmr_tf2.capture.video_reader import Frame, VideoInfo, start_time, timed_frames, video_info
from hmr_tf2.visualization.soundtrack import Sound
from tfrecords_tools.system_errors import sentence

PICTURE_SUFFIXES = pictures.SUFFIXES
RAW_SUFFIXES = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2", ".srw", ".pef")
# What phones, cameras, television and the web write.
VIDEO_SUFFIXES = tuple(
    ".mp4 .m4v .mov .3gp .3g2 .mkv .webm .avi .wmv .asf .flv .f4v .mpg .mpeg .m2v .vob .ts .mts "
    ".m2ts .ogv .mxf .y4m .dv".split()
)
# What programs leave in folders by themselves; macOS begins the names of its own with "._".
CLUTTER = ("thumbs.db", "desktop.ini")
# So many files that are left out are named for each reason.
MAX_NAMED = 5


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


def frames(path: str | os.PathLike, limit: int | None = None) -> Iterator[np.ndarray]:
    """Yields the pictures of a video file's frames, RGB uint8 [H, W, 3], at most `limit`.

    Raises:
        OSError: there is no such file.
        ValueError: it is not a video.
    """
    return (frame.picture for frame in itertools.islice(timed_frames(path), limit))


class Video(Protocol):
    """Frames in the order of time, all of one size; they can be read more than once.

    `path` names it in results.
    """

    path: pathlib.Path

    @property
    def info(self) -> VideoInfo: ...

    @property
    def sound(self) -> Sound | None: ...

    def frames(self, limit: int | None = None) -> Iterator[Frame]:
        """Yields the frames, at most `limit`."""

    def name_of(self, number: int) -> pathlib.Path:
        """The path by which files of boxes may know frame `number`."""


class VideoFile:
    """A video file."""

    def __init__(self, path: pathlib.Path):
        self.path = path

    @functools.cached_property
    def info(self) -> VideoInfo:
        return video_info(self.path)

    @property
    def sound(self) -> Sound:
        return Sound(self.path, start_time(self.path))

    def frames(self, limit=None) -> Iterator[Frame]:
        return itertools.islice(timed_frames(self.path, self.info.fps), limit)

    def name_of(self, number) -> pathlib.Path:
        return self.path


class FrameFolder:
    """Pictures that are the frames of one video.

    A picture of another size than the first is resized to it. One that cannot be read is replaced
    by the one before it, and said so.

    Args:
        path: the folder, which names the video.
        files: the pictures in the order of time, at least one.
        fps: frames per second.
    """

    sound = None

    def __init__(self, path: pathlib.Path, files: Sequence[pathlib.Path], fps: float):
        self.path = path
        self._files = files
        self._fps = fps

    @functools.cached_property
    def info(self) -> VideoInfo:
        height, width = pictures.read_picture(self._files[0]).shape[:2]
        return VideoInfo((width, height), self._fps, len(self._files))

    def frames(self, limit=None) -> Iterator[Frame]:
        size = self.info.size
        picture = None
        for number, file in enumerate(self._files[:limit]):
            try:
                picture = _resized(pictures.read_picture(file), size)
            except (ValueError, OSError) as error:
                if picture is None:
                    raise
                logging.warning("%s The frame before it is used instead.", sentence(error))
            yield Frame(number / self._fps, picture)

    def name_of(self, number) -> pathlib.Path:
        return self._files[min(number, len(self._files) - 1)]


def frame_folder(img_path: str, fps: float) -> FrameFolder:
    """The pictures that `img_path` (a folder or a pattern) means as one video.

    They are taken in the order of the numbers in their names: 2.png is before 10.png.

    Raises:
        FileNotFoundError: there are none.
        ValueError: a video is among them.
    """
    files = sorted(find_files(img_path), key=lambda file: natural_key(file.name))
    films = [str(file) for file in files if is_video(file)]
    if films:
        raise ValueError(
            f"--frames takes pictures, but {films[0]} is a video. Give a pattern such as "
            f"--img_path='{files[0].parent}/*.png'."
        )
    folder = files[0].parent
    # The folder that is worked in has no name of its own.
    return FrameFolder(folder if folder.name else folder.resolve(), files, fps)


def natural_key(name: str) -> list[tuple[bool, int, str]]:
    """Sorts names by the numbers in them, so that 2 is before 10."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _resized(picture, size):
    if picture.shape[1::-1] == size:
        return picture
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _suffix(path: pathlib.Path) -> str:
    return path.suffix.lower()
