"""Annotation files in COCO's form: COCO's own, and other people's, which lack much of it.

Needed are pictures with `id` and `file_name`, and people with `image_id` and COCO's 17 keypoints.
Without `categories` a person has category 1, without `iscrowd` it is no crowd, without
`num_keypoints` they are counted.
"""

import collections
import dataclasses
import json
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from tfrecords_tools import images, joints
from tfrecords_tools.plan import ConversionError

NUM_KEYPOINTS = len(joints.COCO)
VISIBILITIES = (0, 1, 2)

_PERSON_CATEGORY = 1
_NUM_VALUES = 3 * NUM_KEYPOINTS
# Entries that are broken are named in the log up to this number.
_ENTRIES_TOLD = 5
_SIDES = {"l": "left", "r": "right"}


@dataclasses.dataclass(frozen=True)
class Annotated:
    """A person as annotated.

    Attributes:
        keypoints: [17, 3] x, y in pixels and visibility 0, 1 or 2; in the order `joints.COCO`.
        segmentation: the mask as polygons or run lengths; None if there is none.
        box: x, y, width and height in pixels; None if there is none.
    """

    keypoints: np.ndarray
    segmentation: list | dict | None
    box: tuple[float, float, float, float] | None


@dataclasses.dataclass(frozen=True)
class Item:
    """One picture with people; `height` and `width` are None where the file does not say."""

    file: str
    height: int | None
    width: int | None
    annotated: Sequence[Annotated]


def read_items(path: pathlib.Path, skipped: collections.Counter[str]) -> Iterator[Item]:
    """Yields the pictures with people, in the order of the COCO API.

    Args:
        path: the annotation file.
        skipped: counts what is left out, by reason.

    Raises:
        ConversionError: it is no annotation file of COCO's 17 keypoints.
    """
    values = _load(path)
    pictures = {entry["id"]: entry for entry in values["images"] if _is_key(_get(entry, "id"))}
    categories = _person_categories(values, path)
    _check_names(values, categories, path)
    note = _Notes(path, skipped)
    people = []
    for entry in values["annotations"]:
        if not isinstance(entry, dict):
            note("entry is no object", {})
        elif _is_of(entry, categories):
            people.append(entry)
    _check_number(people, path)
    of_picture: dict[Any, list[Annotated]] = {}
    for entry in people:
        if entry.get("iscrowd"):
            continue
        picture = entry.get("image_id")
        if not _is_key(picture) or picture not in pictures:
            note("person without a picture", entry)
            continue
        annotated = _annotated(entry, note)
        if annotated is not None:
            of_picture.setdefault(picture, []).append(annotated)
    for key in _in_order([entry.get("image_id") for entry in people]):
        if key not in of_picture:
            continue
        item = _item(pictures[key], of_picture[key])
        if item is None:
            note("picture without a file name", pictures[key])
        else:
            yield item


class _Notes:
    """Counts what is left out, and names the first broken entries in the log."""

    def __init__(self, path: pathlib.Path, skipped: collections.Counter[str]):
        self._path, self._skipped, self._told = path, skipped, 0

    def __call__(self, reason: str, entry: Mapping) -> None:
        self._skipped[reason] += 1
        self._told += 1
        if self._told <= _ENTRIES_TOLD:
            logging.warning("coco: %s: %s: entry %s", self._path, reason, entry.get("id"))

    def by_rule(self, reason: str) -> None:
        self._skipped[reason] += 1


def _load(path: pathlib.Path) -> dict[str, list]:
    expected = "expected a JSON file with `images` and `annotations`"
    try:
        values = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConversionError(
            f"{path} is not an annotation file of COCO keypoints: {expected}, got "
            f"{type(error).__name__}: {error}"
        ) from error
    if isinstance(values, list):
        raise ConversionError(
            f"{path} is not an annotation file of COCO keypoints: {expected}; it holds a list, as "
            "the results of a detector do."
        )
    for key in ("images", "annotations"):
        if not isinstance(_get(values, key), list):
            raise ConversionError(
                f"{path} is not an annotation file of COCO keypoints: {expected}; there is no "
                f"list `{key}`."
            )
    return values


def _get(entry: Any, key: str, default: Any = None) -> Any:
    return entry.get(key, default) if isinstance(entry, dict) else default


def _is_key(value: Any) -> bool:
    return isinstance(value, (int, float, str))


def _in_order(picture_ids: Sequence[Any]) -> list:
    """Each id once. The API gives them in the order of a Python set, as the original's shards are.

    That order is the same in every run for whole numbers only; others keep that of the file.
    """
    keys = [key for key in picture_ids if _is_key(key)]
    return list(set(keys) if all(isinstance(key, int) for key in keys) else dict.fromkeys(keys))


def _is_of(entry: dict, categories: set | None) -> bool:
    """Whether an annotation is of one of the `categories`, or of any if that is None."""
    category = entry.get("category_id", _PERSON_CATEGORY)
    return categories is None or (_is_key(category) and category in categories)


def _categories(values: Mapping[str, Any]) -> list[dict]:
    categories = values.get("categories")
    if not isinstance(categories, list):
        return []
    return [c for c in categories if isinstance(c, dict) and _is_key(c.get("id"))]


def _person_categories(values: Mapping[str, Any], path: pathlib.Path) -> set | None:
    """The ids of the category `person`; None if there is but one category of whatever name."""
    categories = _categories(values)
    people = {c["id"] for c in categories if str(c.get("name")).strip().lower() == "person"}
    if people:
        return people
    if len(categories) > 1:
        names = ", ".join(str(c.get("name")) for c in categories)
        raise ConversionError(
            f"{path}: none of its categories is named `person`; there are {names}. Rename the one "
            "whose keypoints are those of people."
        )
    if categories:
        return None
    given = [_get(entry, "category_id", _PERSON_CATEGORY) for entry in values["annotations"]]
    present = {category for category in given if _is_key(category)}
    return None if len(present) <= 1 else {_PERSON_CATEGORY}


def _needed() -> str:
    return (
        f"COCO's {NUM_KEYPOINTS} in their order are needed: {', '.join(joints.COCO.names)}. Write "
        "yours in that order, with 0, 0, 0 for those that you do not have."
    )


def _check_names(values: Mapping[str, Any], categories: set | None, path: pathlib.Path) -> None:
    """Refuses named keypoints that are not COCO's, or stand in another order."""
    for category in _categories(values):
        names = category.get("keypoints")
        if not isinstance(names, list) or not names:
            continue
        if categories is not None and category["id"] not in categories:
            continue
        if len(names) != NUM_KEYPOINTS:
            raise ConversionError(f"{path} describes {len(names)} keypoints, but {_needed()}")
        for number, name in enumerate(map(_plain, names)):
            # A name that COCO does not know may be one of another language.
            if name in joints.COCO.names and joints.COCO.index(name) != number:
                raise ConversionError(
                    f"{path}: keypoint {number} is {name}, which is number "
                    f"{joints.COCO.index(name)} of COCO's; {_needed()}"
                )


def _plain(name: Any) -> str:
    """`Left Shoulder`, `l_shoulder` and `left-shoulder` become `left_shoulder`."""
    words = [word for word in re.split(r"[^a-z0-9]+", str(name).lower()) if word]
    return "_".join([_SIDES.get(word, word) for word in words])


def _check_number(entries: Sequence[Mapping], path: pathlib.Path) -> None:
    """Refuses a file in which nobody has 17 keypoints; a single odd entry is a skip."""
    given = [entry.get("keypoints") for entry in entries]
    sizes = [len(list(_flat(values))) for values in given if isinstance(values, list) and values]
    if sizes and _NUM_VALUES not in sizes:
        size = collections.Counter(sizes).most_common(1)[0][0]
        told = f"{size // 3} keypoints" if size % 3 == 0 else f"{size} numbers"
        raise ConversionError(f"{path}: its people have {told} each, but {_needed()}")


def _annotated(entry: dict, note: _Notes) -> Annotated | None:
    given = entry.get("keypoints")
    if not isinstance(given, list) or not given or entry.get("num_keypoints") == 0:
        note.by_rule("person without keypoints")
        return None
    keypoints = _keypoints(given)
    if keypoints is None:
        note("keypoints are not 17 times x, y, visibility", entry)
        return None
    if not keypoints[:, 2].any():
        note.by_rule("person without keypoints")
        return None
    if not np.isin(keypoints[:, 2], VISIBILITIES).all():
        note("visibility is not 0, 1 or 2", entry)
        return None
    return Annotated(keypoints, entry.get("segmentation"), _box(entry.get("bbox")))


def _keypoints(given: list) -> np.ndarray | None:
    """[17, 3], or None if there are not as many numbers; null stands for what is not known."""
    values = list(_flat(given))
    if len(values) != _NUM_VALUES:
        return None
    for start in range(0, _NUM_VALUES, 3):
        if None in values[start : start + 3] or values[start + 2] == 0:
            values[start : start + 3] = 0, 0, 0
    try:
        return np.array(values, np.float64).reshape(NUM_KEYPOINTS, 3)
    except (ValueError, TypeError, OverflowError):
        return None


def _flat(values: list) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


def _box(values: Any) -> tuple[float, float, float, float] | None:
    """A box that has an area, or None."""
    if not isinstance(values, list) or len(values) != 4 or not all(map(_is_number, values)):
        return None
    x, y, width, height = map(float, values)
    return (x, y, width, height) if width > 0 and height > 0 else None


def _is_number(value: Any) -> bool:
    """Whether it is a number that a picture could have."""
    return isinstance(value, (int, float)) and abs(value) < images.MAX_COORDINATE_PX


def _item(picture: dict, annotated: Sequence[Annotated]) -> Item | None:
    file = picture.get("file_name")
    if not isinstance(file, str) or not file:
        return None
    height, width = (_side(picture.get(side)) for side in ("height", "width"))
    return Item(file, height, width, annotated)


def _side(value: Any) -> int | None:
    return int(value) if _is_number(value) and value >= 1 else None
