"""A picture of sample crops with their skeletons, for a person to judge at a glance."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from tfrecords_tools import joints

CELL_PX = 168
COLUMNS = 8
_TITLE_PX = 30
_CROP_PX = 224

# In BGR order. The right side is warm, the left side cold, and what has no side is light.
_RIGHT = (40, 80, 255)
_LEFT = (255, 160, 30)
_MIDDLE = (220, 235, 220)
_BACKGROUND = (24, 24, 24)
_TEXT = (235, 235, 235)


def sheet(groups: Mapping[str, Sequence[Mapping[str, np.ndarray]]]) -> np.ndarray:
    """Draws sample records by group.

    Args:
        groups: title -> parsed image records (`records.image_spec`, as NumPy values).

    Returns:
        uint8 [height, width, 3], BGR as OpenCV writes it.
    """
    parts = [_legend()]
    for title, rows in groups.items():
        parts.append(_text(title))
        cells = [_cell(row) for row in rows]
        for first in range(0, len(cells), COLUMNS):
            line = cells[first : first + COLUMNS]
            line += [_blank(CELL_PX, CELL_PX)] * (COLUMNS - len(line))
            parts.append(np.hstack(line))
    return np.vstack(parts)


def _cell(row: Mapping[str, np.ndarray]) -> np.ndarray:
    """The 224 px around the person that the trainer would cut out, scaled down to a cell."""
    picture = cv2.imdecode(np.frombuffer(row["image/encoded"], np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        cell = _blank(CELL_PX, CELL_PX)
        cv2.putText(cell, "no picture", (30, 90), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _TEXT, 1)
        return cell
    keypoints = np.stack([row["image/x"], row["image/y"]], axis=1)
    visible = row["image/visibility"] > 0
    face = row["image/face_pts"].reshape(3, -1).T
    keypoints = np.vstack([keypoints, face[:, :2]])
    visible = np.concatenate([visible, face[:, 2] > 0])

    margin = _CROP_PX // 2
    padded = cv2.copyMakeBorder(picture, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    limits = np.array(picture.shape[1::-1])
    start = np.clip(row["image/center"], 0, limits)  # the corner, in the padded picture
    crop = padded[start[1] : start[1] + _CROP_PX, start[0] : start[0] + _CROP_PX]
    scale = CELL_PX / _CROP_PX
    cell = cv2.resize(crop, (CELL_PX, CELL_PX), interpolation=cv2.INTER_AREA)
    draw_skeleton(cell, (keypoints + margin - start) * scale, visible)
    cv2.rectangle(cell, (0, 0), (CELL_PX - 1, CELL_PX - 1), _BACKGROUND, 2)
    return cell


def draw_skeleton(image: np.ndarray, keypoints: np.ndarray, visible: np.ndarray) -> None:
    """Draws the visible points of `keypoints` [19, 2] (`joints.COCO_PLUS`) and their limbs."""
    points = [tuple(int(v) for v in np.round(np.nan_to_num(point))) for point in keypoints]
    names = joints.COCO_PLUS.names
    for a, b in joints.LSP_LIMBS:
        if visible[a] and visible[b]:
            cv2.line(image, points[a], points[b], _color(names[a], names[b]), 2, cv2.LINE_AA)
    for name, point, shown in zip(names, points, visible, strict=True):
        if shown:
            cv2.circle(image, point, 3, _color(name), cv2.FILLED, cv2.LINE_AA)


def _color(*names: str) -> tuple[int, int, int]:
    sides = {name.partition("_")[0] for name in names} & {"left", "right"}
    if len(sides) != 1:
        return _MIDDLE
    return _RIGHT if "right" in sides else _LEFT


def _legend() -> np.ndarray:
    strip = _text("The person's right")
    words = (("right", _RIGHT, 8), ("left", _LEFT, 90), ("middle", _MIDDLE, 160))
    strip[:] = _BACKGROUND
    for word, color, x in words:
        cv2.putText(strip, word, (x, 21), cv2.FONT_HERSHEY_SIMPLEX, 0.6, color, 2, cv2.LINE_AA)
    cv2.putText(
        strip, "side of the person's own body", (250, 21),
        cv2.FONT_HERSHEY_SIMPLEX, 0.5, _TEXT, 1, cv2.LINE_AA,
    )  # fmt: skip
    return strip


def _text(text: str) -> np.ndarray:
    strip = _blank(_TITLE_PX, CELL_PX * COLUMNS)
    cv2.putText(strip, text, (8, 21), cv2.FONT_HERSHEY_SIMPLEX, 0.6, _TEXT, 1, cv2.LINE_AA)
    return strip


def _blank(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), _BACKGROUND, np.uint8)
