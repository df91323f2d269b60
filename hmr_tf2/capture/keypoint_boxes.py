"""Boxes around keypoints, however many there are and however they are written."""

import math

import numpy as np

# A keypoint of OpenPose counts as seen above this confidence (akanazawa/hmr
# src/util/openpose.py).
VISIBLE = 0.2
# A coordinate that is further out than this is damage: no picture is as wide.
MAX_PX = 1e7
# What confidences lie in: -1 is not seen, COCO's labels have 2, AlphaPose's results up to 6.
CONFIDENCES = (-1, 6)


def points_of(numbers, scores=None) -> np.ndarray:
    """Keypoints as float64 [K, 3]: x, y and confidence; what is not known is not seen.

    Args:
        numbers: a flat list, of x, y, confidence or of x, y for each keypoint; a list of such
            lists; or `{"x": [...], "y": [...], "visible": [...]}`. Of 6, 12, ... numbers, which
            could be either, every third must lie in `CONFIDENCES` to be one. Without confidences,
            all keypoints count as seen that are not at (0, 0).
        scores: the confidences, where they have a list of their own.

    Raises:
        ValueError: they are not written so; the message continues a sentence that names them.
    """
    if isinstance(numbers, dict):
        scores = numbers.get("visible") if scores is None else scores
        columns = [_floats(numbers.get(axis)) for axis in "xy"]
        if len(columns[0]) != len(columns[1]):
            raise ValueError(f"has {len(columns[0])} x, but {len(columns[1])} y")
        rows = np.stack(columns, axis=1)
    else:
        rows = _rows(numbers)
    if scores is not None:
        confidences = _floats(_unwrapped(scores))
        if len(confidences) != len(rows):
            raise ValueError(f"has {len(rows)} points, but {len(confidences)} confidences")
    elif rows.shape[1] == 2:
        confidences = rows.any(axis=1).astype(np.float64)
    else:
        confidences = rows[:, 2]
    points = np.column_stack([rows[:, :2], confidences])
    known = (np.abs(points) <= MAX_PX).all(axis=1)  # False for NaN
    return np.where(known[:, np.newaxis], points, 0.0)


def box_around(points: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The box around the keypoints that are seen, and their mean confidence.

    Source: akanazawa/hmr src/util/openpose.py (get_bbox).

    Args:
        points: float64 [K, 3], of `points_of`.

    Returns:
        float64 [4]: x, y, width, height; None where less than two different points are seen.
    """
    seen = points[points[:, 2] > VISIBLE]
    if not len(seen):
        return None
    low, size = seen[:, :2].min(axis=0), np.ptp(seen[:, :2], axis=0)
    if not np.hypot(*size) > 0:
        return None
    # A person seen from the side may be a line without any width.
    return np.concatenate([low, np.maximum(size, 1e-3)]), float(seen[:, 2].mean())


def number(value) -> float:
    """A number of a JSON file; NaN for null.

    Raises:
        ValueError: it is none.
    """
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a list of numbers")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _floats(values) -> np.ndarray:
    if not isinstance(values, list):
        raise ValueError("must be a list of numbers")
    return np.array([number(value) for value in values], np.float64)


def _unwrapped(values):
    """`[[...]]` as `[...]`: some programs wrap what is of one person once more."""
    while isinstance(values, list) and len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    return values


def _rows(numbers) -> np.ndarray:
    """float64 [K, 2] or [K, 3]."""
    numbers = _unwrapped(numbers)
    if not isinstance(numbers, list):
        raise ValueError("must be a list of numbers")
    if any(isinstance(point, list) for point in numbers):
        lengths = {len(point) if isinstance(point, list) else 1 for point in numbers}
        if len(lengths) > 1 or not lengths <= {2, 3}:
            raise ValueError(
                "must have x, y or x, y, confidence for each point; got "
                f"{' or '.join(map(str, sorted(lengths)))} numbers"
            )
        return np.stack([_floats(point) for point in numbers])
    flat = _floats(numbers)
    in_triples, in_pairs = len(flat) % 3 == 0, len(flat) % 2 == 0
    if in_triples and in_pairs:
        third = flat[2::3]
        low, high = CONFIDENCES
        in_triples = bool(((third >= low) & (third <= high) | ~np.isfinite(third)).all())
    if in_triples:
        return flat.reshape(-1, 3)
    if in_pairs:
        return flat.reshape(-1, 2)
    raise ValueError(
        "must be x, y, confidence (or x, y) of each joint, one after the other; got "
        f"{len(flat)} numbers, which is divisible neither by 3 nor by 2"
    )
