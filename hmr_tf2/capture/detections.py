"""People in the files of detectors, each in the form that its program writes.

`people_of` tells the programs apart: OpenPose, AlphaPose, MMPose, Ultralytics, and whatever writes
COCO's results or annotations.
"""

import math
import os
from collections.abc import Callable
from typing import NamedTuple

from absl import logging

from hmr_tf2.capture.boxes import Boxes
from hmr_tf2.capture.frame_names import has_suffix
from hmr_tf2.capture.json_files import excerpt
from hmr_tf2.capture.keypoint_boxes import MAX_PX, VISIBLE, box_around, number, points_of

OPENPOSE_KEYS = ("pose_keypoints_2d", "pose_keypoints")
_PEOPLE_KEYS = ("people", "bodies", "instances")
_BODY_KEYS = (*OPENPOSE_KEYS, "joints")  # the last is AlphaPose's in its form "cmu"
_NAME_KEYS = ("file_name", "image_id", "image_name", "imgname")
_FRAME_KEYS = ("frame_id", "frame_index", "frame")
_SCORE_KEYS = ("score", "confidence", "conf", "bbox_score")
_TRACK_KEYS = ("track_id", "idx", "person_id")
_CATEGORY_KEYS = ("category_id", "category_name", "class", "name")
_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"))
_WHERE = ("bbox", "box", "keypoints")
_KNOWN = {*_NAME_KEYS, *_FRAME_KEYS, *_SCORE_KEYS, *_TRACK_KEYS, *_CATEGORY_KEYS, *_WHERE, "id"}
# Only programs that give the corners of a box, not its size, have these.
_MMPOSE_KEYS = ("keypoint_scores", "bbox_score")

# A picture's name or number, the number of a frame from 0, or None where a file is of one picture.
Key = str | int | None
# A category by its number, or by its name where that is known.
Category = str | int | None


class Person(NamedTuple):
    """`box` x, y, width, height in pixels; `track` -1 where the detector numbers nobody."""

    box: tuple[float, float, float, float]
    score: float
    track: int


class People(NamedTuple):
    """The people in each picture or frame that a file knows.

    `are_all` says that pictures in which nobody is are known, too. `passed_over` has a sentence
    for each person without a box.
    """

    of: dict[Key, list[Person]]
    are_all: bool
    passed_over: list[str]


def boxes_of(people: list[Person]) -> Boxes:
    """The boxes of the people in a picture; without tracks if nobody has one."""
    tracks = [person.track for person in people]
    return Boxes.of(
        [person.box for person in people],
        [person.score for person in people],
        tracks if any(track >= 0 for track in tracks) else None,
    )


def people_of(content, path: str | os.PathLike, min_score: float = 0.0) -> People:
    """The people in a detector's file.

    Args:
        content: what the file holds.
        path: path of the file, for messages.
        min_score: people whose score is lower are left out; OpenPose's have none of their own.

    Raises:
        ValueError: it is nothing that is known, or damaged; the message names it.
    """
    return _Reader(path, min_score).read(content)


class _Reader:
    def __init__(self, path, min_score):
        self._path = path
        self._min_score = min_score
        self._of: dict[Key, list[Person]] = {}
        self._passed_over: list[str] = []
        self._are_all = False
        # Which category is that of people shows only when all are known.
        self._categories: set[Category] = set()
        self._detections: list[tuple[Key, Person, Category]] = []
        self._is_person: Callable[[Category], bool] | None = None

    def read(self, content) -> People:
        self._read(content)
        is_person = self._is_person or self._guess_category()
        for key, person, category in self._detections:
            if category is None or is_person(category):
                self._of[key].append(person)
        self._check_unit()
        return People(self._of, self._are_all, self._passed_over)

    def _read(self, content):
        if isinstance(content, dict):
            self._read_object(content)
        elif isinstance(content, list):
            self._read_list(content)
        else:
            raise self._unknown()

    def _read_object(self, content):
        annotations, instances = content.get("annotations"), content.get("instance_info")
        if isinstance(content.get("predictions"), list):  # of MMPose's inferencer
            self._read(content["predictions"])
        elif isinstance(annotations, list):
            self._read_annotations(content, annotations)
        elif isinstance(instances, list):
            self._read_list(instances, first=1)
        elif any(key in content for key in _PEOPLE_KEYS):
            self._read_group(None, content, str(self._path))
        elif any(key in content for key in _WHERE):
            self._read_list([content])
        elif content and all(map(_names_people, content.keys(), content.values())):
            for name, group in content.items():
                group = group if isinstance(group, dict) else {"people": group}
                self._read_group(name, group, f"{self._path}: {name!r}")
        else:
            raise self._unknown()

    def _read_list(self, content, first=0):
        """Reads detections, or the frames of a video."""
        if not content:
            self._of[None] = []
        elif all(isinstance(entry, list) for entry in content):
            for frame, group in enumerate(content):
                key = None if len(content) == 1 else frame
                self._read_group(key, {"people": group}, f"{self._path}: list {frame}")
            self._are_all = True
        elif all(isinstance(entry, dict) and _has_people(entry) for entry in content):
            self._read_frames(content, first)
        else:
            is_of_one = all(isinstance(entry, dict) and _needs_no_name(entry) for entry in content)
            for k, entry in enumerate(content):
                where = f"{self._path}: entry {k}"
                key = None if is_of_one else _key_of(entry, where)
                self._read_detection(key, entry, where)

    def _read_frames(self, content, first):
        keys = [
            _key_of(entry, f"{self._path}: entry {k}", default=k + first)
            for k, entry in enumerate(content)
        ]
        numbers = [key for key in keys if isinstance(key, int)]
        # MMPose counts from 0 or from 1. It lists every frame, so that the lowest number tells.
        start = min(numbers, default=0)
        start = start if start <= 1 else first
        for k, (key, entry) in enumerate(zip(keys, content, strict=True)):
            key = key - start if isinstance(key, int) else key
            self._read_group(key, entry, f"{self._path}: entry {k}")
        self._are_all = True

    def _read_annotations(self, content, annotations):
        """Reads COCO's annotations, or those of PoseTrack."""
        images = content.get("images", [])
        if not isinstance(images, list):
            raise ValueError(f"{self._path}: 'images' must be a list.")
        names = {}
        for k, image in enumerate(images):
            where = f"{self._path}: image {k}"
            if not isinstance(image, dict) or "id" not in image:
                raise ValueError(f"{where} must have an 'id'; got {excerpt(image)}.")
            own = _name(image["id"], where, "id")
            names[own] = _name(image.get("file_name", own), where, "file_name")
            self._of.setdefault(names[own], [])
        self._are_all = bool(names)
        self._is_person = self._category_by_name(content.get("categories"))
        for k, entry in enumerate(annotations):
            where = f"{self._path}: annotation {k}"
            key = _key_of(entry, where, name_keys=("image_id",))
            if names:
                if key not in names:
                    raise ValueError(f"{where} is of the image {key!r}, which 'images' lacks.")
                key = names[key]
            if entry.get("iscrowd") in (1, True):
                self._of.setdefault(key, [])
                self._pass_over(f"{where} is a crowd")
            else:
                self._read_detection(key, entry, where)

    def _category_by_name(self, categories):
        """Whether a category is that of people, as COCO's list of categories says."""
        if not categories:
            return None
        if not isinstance(categories, list) or not all(isinstance(c, dict) for c in categories):
            raise ValueError(f"{self._path}: 'categories' must be a list of objects.")
        persons = [c.get("id") for c in categories if _is_name_of_person(c.get("name"))]
        if not persons:
            names = ", ".join(str(c.get("name")) for c in categories[:10])
            raise ValueError(
                f"{self._path}: none of its categories is named 'person'; they are "
                f"{excerpt(names)}."
            )
        return lambda category: category in persons or _is_name_of_person(category)

    def _guess_category(self):
        """COCO's person is 1; it is 0 where categories are counted from 0, as by Ultralytics."""
        numbers = {c for c in self._categories if isinstance(c, int)}
        names = {c for c in self._categories if isinstance(c, str)}
        if names and not numbers and not any(map(_is_name_of_person, names)):
            raise ValueError(
                f"{self._path}: nothing in it is named 'person'; the names are "
                f"{excerpt(', '.join(sorted(names)))}."
            )
        person = 0 if 0 in numbers else 1
        if numbers - {1}:
            logging.info(
                "%s: category %d is taken for people, as its numbers %s.",
                self._path,
                person,
                "begin with 0" if person == 0 else "do not begin with 0",
            )
        return lambda category: category == person or _is_name_of_person(category)

    def _read_group(self, key, group, where):
        """Reads the people of one picture, each of OpenPose's form or a detection."""
        people = next((group[name] for name in _PEOPLE_KEYS if name in group), None)
        if not isinstance(people, list):
            name = next((name for name in _PEOPLE_KEYS if name in group), "people")
            raise ValueError(f"{where} is not an OpenPose file: it has no list '{name}'.")
        self._of.setdefault(key, [])
        for k, person in enumerate(people):
            here = f"{where}: person {k}"
            if isinstance(person, dict) and not any(name in person for name in _BODY_KEYS):
                if any(name in person for name in _WHERE):
                    self._read_detection(key, person, here)
                    continue
                self._pass_over(f"{here} has neither {' nor '.join(OPENPOSE_KEYS)}")
            elif isinstance(person, dict):
                self._read_body(key, person, here)
            else:
                raise ValueError(
                    f"{here} has neither {' nor '.join(OPENPOSE_KEYS)}; it is {excerpt(person)}."
                )

    def _read_body(self, key, person, where):
        name = next(name for name in _BODY_KEYS if name in person)
        found = self._around(person[name], None, f"{where}: {name}")
        if found is None:
            self._pass_over(
                f"{where} has no two keypoints of a confidence over {VISIBLE}"
                if person[name]
                else f"{where} has an empty {name}"
            )
        else:
            self._of[key].append(Person(found[0], found[1], _track(person)))

    def _around(self, keypoints, scores, where):
        """Box and mean confidence, or None."""
        if keypoints is None:
            return None
        try:
            found = box_around(points_of(keypoints, scores))
        except ValueError as error:
            raise ValueError(f"{where} {error}.") from None
        return found and (tuple(found[0].tolist()), found[1])

    def _read_detection(self, key, entry, where):
        if not isinstance(entry, dict):
            raise ValueError(f"{where} must have a 'bbox' and more; got {excerpt(entry)}.")
        self._of.setdefault(key, [])
        box, score = _box(entry, where)
        keypoints = entry.get("keypoints")
        if box is None and not any(name in entry for name in _WHERE):
            others = ", ".join(map(repr, [name for name in entry if name not in _KNOWN][:5]))
            raise ValueError(
                f"{where} must have 'bbox' [x, y, width, height], 'box' or 'keypoints', and has "
                f"none of them{f', but {others}' if others else ''}."
            )
        if box is None and keypoints is not None:
            found = self._around(keypoints, entry.get("keypoint_scores"), f"{where}: keypoints")
            box = found and found[0]
        score = _score(entry, where, score)
        category = _category(entry, where)
        self._categories.add(category)
        if box is None or min(box[2:]) <= 0:
            self._pass_over(
                f"{where} has no two keypoints that are seen, and no box"
                if box is None
                else f"{where} has a box without any {'width' if box[2] <= 0 else 'height'}"
            )
        elif score >= self._min_score:
            self._detections.append((key, Person(box, score, _track(entry)), category))

    def _pass_over(self, why):
        self._passed_over.append(why.removeprefix(f"{self._path}: "))

    def _check_unit(self):
        boxes = [person.box for people in self._of.values() for person in people]
        if boxes and all(
            abs(x) <= 1 and abs(y) <= 1 and x + w <= 1 and y + h <= 1 for x, y, w, h in boxes
        ):
            raise ValueError(
                f"{self._path}: all boxes lie within one pixel of the corner. They seem to be "
                "shares of the picture's width and height; pixels are needed (OpenPose: "
                "--keypoint_scale=0)."
            )

    def _unknown(self):
        return ValueError(
            f'{self._path} is neither an OpenPose file ({{"people": [...]}}) nor a list of '
            'detections ([{"image_id": ..., "bbox": [x, y, width, height], "score": ...}, ...]), '
            "nor of another form that docs/outputs.md lists."
        )


def _names_people(name, group):
    """Whether an entry of an object is the name of a picture with the people in it."""
    if isinstance(group, dict):
        return _has_people(group)
    return isinstance(group, list) and (has_suffix(name) or name.isdecimal())


def _has_people(group):
    return any(name in group for name in _PEOPLE_KEYS)


def _needs_no_name(entry):
    """Whether a detection is of a form that programs write to a file of one picture's own."""
    if any(name in entry for name in (*_NAME_KEYS, *_FRAME_KEYS)):
        return False
    has_corners = any(all(name in entry for name in names) for names in _CORNERS)
    box = entry.get("bbox")
    is_nested = isinstance(box, list) and any(isinstance(row, list) for row in box)
    is_mmpose = any(name in entry for name in _MMPOSE_KEYS)
    return has_corners or is_nested or is_mmpose or isinstance(entry.get("box"), dict)


def _key_of(entry, where, name_keys=_NAME_KEYS, default=None) -> str | int:
    if not isinstance(entry, dict):
        raise ValueError(f"{where} must have a 'bbox' and more; got {excerpt(entry)}.")
    for name in name_keys:
        if name in entry:
            return _name(entry[name], where, name)
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


def _name(value, where, name) -> str:
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


def _box(entry, where):
    """([x, y, width, height] or None, the score that stands beside it or None)."""
    for corners in _CORNERS:
        if all(name in entry for name in corners):
            return _from_corners([entry[name] for name in corners], where, "box"), None
    for name in ("bbox", "box"):
        value = entry.get(name)
        if value is None or value == []:
            continue
        has_corners = name == "bbox" and any(key in entry for key in _MMPOSE_KEYS)
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


def _category(entry, where) -> Category:
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


def _is_name_of_person(name):
    return isinstance(name, str) and name.strip().lower() == "person"


def _track(entry) -> int:
    value = next((entry[name] for name in _TRACK_KEYS if name in entry), None)
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    track = _whole(value)
    return -1 if track is None else max(track, -1)
