"""What one detection says: of which picture it is, where, how sure, and of what.

Each function takes an entry of a detector's file and `where` it stands, for messages.
"""

import math

from hmr_tf2.capture.json_files import excerpt
from hmr_tf2.capture.keypoint_boxes import MAX_PX, box_around, number, points_of

_NAME_KEYS = ("file_name", "image_id", "image_name", "imgname")
_FRAME_KEYS = ("frame_id", "frame_index", "frame")
_SCORE_KEYS = ("score", "confidence", "conf", "bbox_score")
_TRACK_KEYS = ("track_id", "idx", "person_id")
_CATEGORY_KEYS = ("category_id", "category_name", "class", "name")
_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"))
WHERE = ("bbox", "box", "keypoints")
_KNOWN = {*_NAME_KEYS, *_FRAME_KEYS, *_SCORE_KEYS, *_TRACK_KEYS, *_CATEGORY_KEYS, *WHERE, "id"}
# MMPose, which gives the corners of a box and not its size, has these and no name of a picture.
_MMPOSE_KEYS = ("keypoint_scores", "bbox_score")
# A category by its number, or by its name where that is known.
Category = str | int | None
# x, y, width and height in pixels.
Box = tuple[float, float, float, float]


def has_key(entry: dict) -> bool:
    """Whether an entry says of which picture or frame it is."""
    return any(name in entry for name in (*_NAME_KEYS, *_FRAME_KEYS))


def needs_no_name(entry: dict) -> bool:
    """Whether a detection is of a form that programs write to a file of one picture's own."""
    if has_key(entry):
        return False
    has_corners = any(all(name in entry for name in names) for names in _CORNERS)
    box = entry.get("bbox")
    is_nested = isinstance(box, list) and any(isinstance(row, list) for row in box)
    return has_corners or is_nested or _is_mmpose(entry) or isinstance(entry.get("box"), dict)


def _is_mmpose(entry):
    return any(name in entry for name in _MMPOSE_KEYS) and not any(
        name in entry for name in _NAME_KEYS
    )


def key_of(
    entry, where: str, name_keys: tuple[str, ...] = _NAME_KEYS, default: int | None = None
) -> str | int:
    """The name or number of the picture, or the number of the frame.

    Args:
        entry: a detection, or a frame with its people.
        where: for messages.
        name_keys: the keys that may have the name.
        default: the frame, if the entry does not say; None if it must.

    Raises:
        ValueError: it does not say, or it is none.
    """
    if not isinstance(entry, dict):
        raise ValueError(f"{where} must have a 'bbox' and more; got {excerpt(entry)}.")
    names = [name for name in name_keys if name in entry]
    if names:
        name = next((name for name in names if entry[name] is not None), names[0])
        return name_of(entry[name], where, name)
    for name in _FRAME_KEYS:
        if name in entry:
            frame = _whole(entry[name])
            if frame is None or frame < 0:
                raise ValueError(
                    f"{where} must have a number from 0 as '{name}'; got {excerpt(entry[name])}."
                )
            return frame
    if default is None:
        raise ValueError(
            f"{where} must have 'image_id' or 'file_name', which say of what picture it is."
        )
    return default


def name_of(value, where: str, name: str) -> str:
    """The name or whole number that stands under the key `name`.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str):
        return value
    whole = _whole(value)
    if whole is None:
        raise ValueError(f"{where} must have a name or number as '{name}'; got {excerpt(value)}.")
    return str(whole)


def _whole(value) -> int | None:
    """A whole number that is written as one, as 3.0 or as "3"; None for anything else."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 18 else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if abs(value) < 2**63 and value == int(value) else None


def box_of(entry, where: str) -> tuple[Box | None, float]:
    """The box, or that around the keypoints, and the score; no box if no keypoint is seen.

    Raises:
        ValueError: there are neither, or they are not written so.
    """
    box, score = _written_box(entry, where)
    keypoints = entry.get("keypoints")
    if box is None and keypoints is not None:
        found = around(keypoints, entry.get("keypoint_scores"), f"{where}: keypoints")
        box = found and found[0]
    elif box is None and not any(name in entry for name in WHERE):
        others = ", ".join(map(repr, [name for name in entry if name not in _KNOWN][:5]))
        raise ValueError(
            f"{where} must have 'bbox' [x, y, width, height], 'box' or 'keypoints', and has none "
            f"of them{f', but {others}' if others else ''}."
        )
    return box, _score(entry, where, score)


def around(keypoints, scores, where: str) -> tuple[Box, float] | None:
    """The box around the keypoints that are seen, and their mean confidence; None if none is.

    Raises:
        ValueError: they are not written so.
    """
    if keypoints is None:
        return None
    try:
        found = box_around(points_of(keypoints, scores))
    except ValueError as error:
        raise ValueError(f"{where} {error}.") from None
    return found and (tuple(found[0].tolist()), found[1])


def _written_box(entry, where):
    """([x, y, width, height] or None, the score that stands beside it or None)."""
    for corners in _CORNERS:
        if all(name in entry for name in corners):
            return _from_corners([entry[name] for name in corners], where, "box"), None
    for name in ("bbox", "box"):
        value = entry.get(name)
        if value is None or value == []:
            continue
        has_corners = name == "bbox" and _is_mmpose(entry)
        if isinstance(value, dict):
            value, has_corners = _numbers_of_object(value), "x" not in value
        elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
            value, has_corners = value[0], True
        if isinstance(value, list) and len(value) == 5:  # older versions of MMPose
            return _from_corners(value[:4], where, name), _score({"score": value[4]}, where, None)
        if has_corners:
            return _from_corners(value, where, name), None
        return _four(value, where, name), None
    return None, None


def _numbers_of_object(box):
    """The numbers of a box of Ultralytics, which may be turned: then those of the box around."""
    sides = [box.get("width", box.get("w")), box.get("height", box.get("h"))]
    if "x" in box:
        return [box["x"], box.get("y"), *sides]
    if "x4" in box:
        try:
            xs, ys = ([number(box.get(f"{axis}{k}")) for k in range(1, 5)] for axis in "xy")
        except ValueError:
            return []
        return [min(xs), min(ys), max(xs), max(ys)]
    names = next((names for names in _CORNERS if names[0] in box), ())
    return [box.get(name) for name in names]


def _from_corners(value, where, name):
    left, top, right, bottom = _four(value, where, name)
    return left, top, right - left, bottom - top


def _four(value, where, name):
    try:
        box = tuple(map(number, value)) if isinstance(value, list) else ()
    except ValueError:
        box = ()
    if len(box) != 4 or not all(abs(x) <= MAX_PX for x in box):  # also for NaN
        raise ValueError(
            f"{where} must have four numbers, in pixels, as '{name}'; got {excerpt(value)}."
        )
    return box


def _score(entry, where, default):
    for name in _SCORE_KEYS:
        if name not in entry:
            continue
        value = entry[name]
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        try:
            score = number(value)
        except ValueError:
            score = math.nan
        if not math.isfinite(score):
            raise ValueError(
                f"{where} must have a finite number as '{name}'; got {excerpt(entry[name])}."
            )
        return score
    return 1.0 if default is None else default


def category_of(entry: dict, where: str) -> Category:
    """The category; None if there is none, which means a person.

    Raises:
        ValueError: it is neither a number nor a name.
    """
    for name in ("category_name", "name"):
        if isinstance(entry.get(name), str) and (name != "name" or "class" in entry):
            return entry[name]
    if "category_id" in entry:
        value, whole = entry["category_id"], _whole(entry["category_id"])
        if whole is None and not (value is None or isinstance(value, str)):
            raise ValueError(f"{where} must have a number as 'category_id'; got {excerpt(value)}.")
        return value if whole is None else whole
    # Classes without a name are Ultralytics', which counts them from 0.
    return None if "class" not in entry else "person" if _whole(entry["class"]) == 0 else "other"


def is_name_of_person(name) -> bool:
    """Whether a category has this name that is that of people."""
    return isinstance(name, str) and name.strip().lower() == "person"


def track_of(entry: dict) -> int:
    """The number that the detector gave to the person in the whole video; -1 if none."""
    value = next((entry[name] for name in _TRACK_KEYS if name in entry), None)
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    track = _whole(value)
    return -1 if track is None else max(track, -1)
