"""Frames of a video file, without unpacking it first."""

import os
import pathlib
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from tfrecords_tools.images import BadSampleError


def frames(path: pathlib.Path, numbers: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yields (number, uint8 RGB picture) for the frames `numbers`, which ascend and start at 0.

    It steps through every frame, because seeking is not exact in compressed video, and ends early
    where the video does.

    Raises:
        BadSampleError: the file is missing or is not a video.
    """
    if not path.is_file():
        raise BadSampleError("video missing", str(path))
    # OpenCV reads this when it first opens a video. Damage is reported here, with the file's name.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    try:
        if not capture.isOpened():
            raise BadSampleError("video damaged", str(path))
        position = 0
        for number in numbers:
            while position <= number:
                if not capture.grab():
                    return
                position += 1
            ok, image = capture.retrieve()
            if not ok:
                return
            yield number, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()
