"""People in the files of detectors, each in the form that its program writes.

`people_of` tells the programs apart: OpenPose, AlphaPose, MMPose, Ultralytics, and whatever writes
COCO's results or annotations.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from absl import logging

from hmr_tf2.capture.boxes import Boxes
from hmr_tf2.capture.detections import (
    WHERE,
    Box,
    Category,
    around,
    box_of,
    category_of,
    has_key,
    is_name_of_person,
    key_of,
    name_of,
    needs_no_name,
    track_of,
)
from hmr_tf2.capture.frame_names import has_suffix
from hmr_tf2.capture.json_files import excerpt
from hmr_tf2.capture.keypoint_boxes import VISIBLE

OPENPOSE_KEYS = ("pose_keypoints_2d", "pose_keypoints")
_PEOPLE_KEYS = ("people", "bodies", "instances")
_BODY_KEYS = (*OPENPOSE_KEYS, "joints")  # the last is AlphaPose's in its form "cmu"

# A picture's name or number, the number of a frame from 0, or None where a file is of one picture.
Key = str | int | None


class Person(NamedTuple):
    """`box` x, y, width, height in pixels; `track` -1 where the detector numbers nobody."""

    box: Box
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
        elif any(key in content for key in WHERE):
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
            is_of_one = all(isinstance(entry, dict) and needs_no_name(entry) for entry in content)
            for k, entry in enumerate(content):
                where = f"{self._path}: entry {k}"
                key = None if is_of_one else key_of(entry, where)
                self._read_detection(key, entry, where)

    def _read_frames(self, content, first):
        keys = [
            key_of(entry, f"{self._path}: entry {k}", default=k + first)
            for k, entry in enumerate(content)
        ]
        numbers = [key for key in keys if isinstance(key, int)]
        # MMPose counts from 0 or from 1. It lists every frame, so that the lowest number tells.
        start = min(numbers, default=0)
        start = start if start <= 1 else first
        for k, (key, entry) in enumerate(zip(keys, content, strict=True)):
            if isinstance(key, int):
                key = None if len(content) == 1 and not has_key(entry) else key - start
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
            own = name_of(image["id"], where, "id")
            names[own] = name_of(image.get("file_name", own), where, "file_name")
            self._of.setdefault(names[own], [])
        self._are_all = bool(names)
        self._is_person = self._category_by_name(content.get("categories"))
        for k, entry in enumerate(annotations):
            where = f"{self._path}: annotation {k}"
            key = key_of(entry, where, name_keys=("image_id",))
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
        persons = [c.get("id") for c in categories if is_name_of_person(c.get("name"))]
        if not persons:
            names = ", ".join(str(c.get("name")) for c in categories[:10])
            raise ValueError(
                f"{self._path}: none of its categories is named 'person'; they are "
                f"{excerpt(names)}."
            )
        return lambda category: category in persons or is_name_of_person(category)

    def _guess_category(self):
        """COCO's person is 1; it is 0 where categories are counted from 0, as by Ultralytics."""
        numbers = {c for c in self._categories if isinstance(c, int)}
        names = {c for c in self._categories if isinstance(c, str)}
        if names and not numbers and not any(map(is_name_of_person, names)):
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
        return lambda category: category == person or is_name_of_person(category)

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
                if any(name in person for name in WHERE):
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
        names = [name for name in _BODY_KEYS if name in person]
        name = next((name for name in names if person[name]), names[0])
        found = around(person[name], None, f"{where}: {name}")
        if found is None:
            self._pass_over(
                f"{where} has no two keypoints of a confidence over {VISIBLE}"
                if person[name]
                else f"{where} has an empty {name}"
            )
        else:
            self._of[key].append(Person(found[0], found[1], track_of(person)))

    def _read_detection(self, key, entry, where):
        if not isinstance(entry, dict):
            raise ValueError(f"{where} must have a 'bbox' and more; got {excerpt(entry)}.")
        self._of.setdefault(key, [])
        box, score = box_of(entry, where)
        category = category_of(entry, where)
        self._categories.add(category)
        if box is None or box[2] <= 0 or box[3] <= 0:
            self._pass_over(
                f"{where} has no two keypoints that are seen, and no box"
                if box is None
                else f"{where} has a box without any {'width' if box[2] <= 0 else 'height'}"
            )
        elif score >= self._min_score:
            self._detections.append((key, Person(box, score, track_of(entry)), category))

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
