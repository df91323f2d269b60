"""OpenCV's people detector."""

import cv2
import numpy as np

from hmr_tf2.capture.boxes import Boxes, overlap

_MAX_SIDE = 800  # pixels; larger pictures are shrunk first
# The detector's windows have a margin around the person: shares of their width and height.
_INSET = np.array([0.1, 0.07])
_OVERLAP = 0.4


class HogDetector:
    """OpenCV's detector of standing people (Dalal and Triggs, 2005); quick and often wrong."""

    is_per_frame = False
    is_for_one = False

    def __init__(self):
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())

    def find(self, path, picture, frame=None) -> Boxes:
        factor = min(1.0, _MAX_SIDE / max(picture.shape[:2]))
        size = [max(1, round(factor * length)) for length in picture.shape[1::-1]]
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        width, height = self._hog.winSize
        # The person must fit into a window, however small the picture is.
        rim = [
            max(0, side - have) // 2 + 16
            for side, have in zip((height, width), small.shape[:2], strict=True)
        ]
        padded = cv2.copyMakeBorder(small, rim[0], rim[0], rim[1], rim[1], cv2.BORDER_REPLICATE)
        found, weights = self._hog.detectMultiScale(
            padded[..., ::-1], winStride=(8, 8), scale=1.05
        )
        boxes = np.asarray(found, np.float64).reshape(-1, 4)
        scores = np.asarray(weights, np.float64).reshape(-1)
        boxes[:, :2] -= rim[::-1]
        boxes[:, :2] += _INSET * boxes[:, 2:]
        boxes[:, 2:] *= 1 - 2 * _INSET
        found = _without_overlaps(Boxes.of(boxes / factor, scores))
        if frame is None and not len(found.boxes):
            raise ValueError(
                f"{path}: --detector=hog found nobody. Without it, one person is assumed to fill "
                "the picture."
            )
        return found


def _without_overlaps(found: Boxes) -> Boxes:
    """Drops a box that overlaps a better one."""
    keep: list[int] = []
    for k, box in enumerate(found.boxes):
        if not keep or overlap(box[np.newaxis], found.boxes[keep]).max() < _OVERLAP:
            keep.append(k)
    return Boxes(found.boxes[keep], found.scores[keep])
