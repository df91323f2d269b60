"""Bounding boxes around people, and the protocol of the files and detectors that provide them."""

import pathlib
from typing import NamedTuple, Protocol

import numpy as np


class Boxes(NamedTuple):
    """`boxes` float64 [P, 4]: x, y, width, height in pixels; `scores` float64 [P], best first.

    `tracks` int64 [P] are the numbers that a detector gave to people throughout a video, -1 where
    a box has none; None where it numbers nobody.
    """

    boxes: np.ndarray
    scores: np.ndarray
    tracks: np.ndarray | None = None

    @classmethod
    def of(cls, boxes, scores, tracks=None) -> "Boxes":
        """Takes any sequences, and sorts them by score."""
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        scores = np.asarray(scores, np.float64).reshape(-1)
        order = np.argsort(-scores, kind="stable")
        if tracks is not None:
            tracks = np.asarray(tracks, np.int64).reshape(-1)[order]
        return cls(boxes[order], scores[order], tracks)


class BoxSource(Protocol):
    """Finds people.

    `is_per_frame` says that it knows the people in every frame of a video, `is_for_one` that what
    it knows is for one picture or video only.
    """

    is_per_frame: bool
    is_for_one: bool

    def find(self, path: pathlib.Path, picture: np.ndarray, frame: int | None = None) -> Boxes:
        """The people in a picture, at least one; or in a frame of a video, possibly none.

        Args:
            path: path of the picture or video; of a folder of frames that is seen as one video,
                that of the frame's picture.
            picture: RGB uint8 [H, W, 3].
            frame: its number in the video, from 0; None for a picture.

        Raises:
            ValueError, OSError: nobody is in the picture, or a file that should say where people
                are is missing or damaged; the message names the file.
        """


class GivenBoxes:
    """Boxes that were typed in or read from one file; in a video, those of its first frame."""

    is_per_frame = False
    is_for_one = True

    def __init__(self, boxes: Boxes):
        self._boxes = boxes

    def find(self, path, picture, frame=None) -> Boxes:
        return self._boxes


def parse_boxes(text: str) -> Boxes:
    """Boxes from 'x,y,w,h', several of them separated by ';'.

    Raises:
        ValueError: the text is anything else.
    """
    try:
        rows = [[float(number) for number in part.split(",")] for part in text.split(";")]
        if any(len(row) != 4 or not np.isfinite(row).all() for row in rows):
            raise ValueError
    except ValueError:
        raise ValueError(
            f"--bbox={text} must be x,y,width,height in pixels; separate several by ';'."
        ) from None
    return Boxes.of(rows, np.ones(len(rows)))


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64 [P, Q]: intersection over union of boxes [P, 4] and [Q, 4], each x, y, w, h."""
    first, second = first[:, np.newaxis], second[np.newaxis]
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    union = first[..., 2:].prod(axis=-1) + second[..., 2:].prod(axis=-1) - shared
    return shared / np.maximum(union, 1e-9)
