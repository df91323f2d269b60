"""Files that say where people are: OpenPose's, and COCO-style detections."""

import json
import os
import pathlib
import re

import numpy as np

from hmr_tf2.capture.boxes import Boxes, BoxSource, GivenBoxes

# A keypoint of OpenPose counts as seen above this confidence (akanazawa/hmr
# src/util/openpose.py).
VISIBLE = 0.2
OPENPOSE_KEYS = ("pose_keypoints_2d", "pose_keypoints")
OPENPOSE_JOINTS = (18, 25)


def read_boxes(path: pathlib.Path, min_score: float) -> BoxSource:
    """Reads OpenPose files (one, or a folder of them), or one file of COCO-style detections.

    Raises:
        ValueError, OSError: `path` is neither.
    """
    if path.is_dir():
        return OpenPoseFolder(path)
    content = read_json(path)
    if isinstance(content, dict) and "people" in content:
        return GivenBoxes(read_openpose(path))
    if isinstance(content, list):
        return CocoDetections(content, path, min_score)
    raise ValueError(
        f'{path} is neither an OpenPose file ({{"people": [...]}}) nor a list of detections '
        '([{"image_id": ..., "bbox": [x, y, width, height], "score": ...}, ...]).'
    )


def read_json(path: str | os.PathLike):
    """The content of a JSON file.

    Raises:
        OSError: there is no such file.
        ValueError: it is empty or damaged; the message names it.
    """
    try:
        return json.loads(pathlib.Path(path).read_bytes())
    except ValueError as error:  # also for bytes that are not UTF-8
        raise ValueError(f"{path} is not a JSON file, or is empty or cut off: {error}") from error


def read_openpose(path: str | os.PathLike) -> Boxes:
    """The boxes in an OpenPose file, at least one.

    Raises:
        OSError: there is no such file.
        ValueError: it is not an OpenPose file, or shows nobody; the message names it.
    """
    found = openpose_boxes(read_json(path), path)
    if not len(found.boxes):
        raise ValueError(f"{path} has no person with keypoints of a confidence over {VISIBLE}.")
    return found


def openpose_boxes(content, path: str | os.PathLike) -> Boxes:
    """The boxes around the visible keypoints of each person, the most confident first.

    Source: akanazawa/hmr src/util/openpose.py (get_bbox), which takes only the first of these.

    Args:
        content: what the file holds.
        path: path of the file, for messages.

    Raises:
        ValueError: it is not an OpenPose file.
    """
    boxes, scores = [], []
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise ValueError(f"{path} is not an OpenPose file: it has no list 'people'.")
    for number, person in enumerate(people):
        points = _openpose_points(person, number, path)
        seen = points[points[:, 2] > VISIBLE]
        size = np.ptp(seen[:, :2], axis=0) if len(seen) else np.zeros(2)
        if np.hypot(*size) > 0:
            # A person seen from the side may be a line without any width.
            size = np.maximum(size, 1e-3)
            boxes.append([*seen[:, :2].min(axis=0), *size])
            scores.append(seen[:, 2].mean())
    return Boxes.of(boxes, scores)


def _openpose_points(person, number, path):
    key = next((key for key in OPENPOSE_KEYS if isinstance(person, dict) and key in person), None)
    if key is None:
        raise ValueError(f"{path}: person {number} has neither {' nor '.join(OPENPOSE_KEYS)}.")
    try:
        points = np.asarray(person[key], np.float64).reshape(-1, 3)
    except (TypeError, ValueError):
        points = np.zeros((0, 3))
    if len(points) not in OPENPOSE_JOINTS or not np.isfinite(points).all():
        raise ValueError(
            f"{path}: {key} of person {number} must be x, y, confidence of "
            f"{' or '.join(map(str, OPENPOSE_JOINTS))} joints; got {len(person[key])} numbers."
            if isinstance(person[key], list)
            else f"{path}: {key} of person {number} must be a list of numbers."
        )
    return points


class OpenPoseFolder:
    """One file per picture, `<name>_keypoints.json` or `<name>.json`.

    For a video, one file per frame, `<name>_<number>_keypoints.json` as OpenPose names them, or
    else all files of the folder in the order of their names.
    """

    is_per_frame = True
    is_for_one = False

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._names = sorted(p.name for p in folder.glob("*.json"))
        if not self._names:
            raise FileNotFoundError(f"--json_path={folder} holds no .json file.")

    def find(self, path, picture, frame=None) -> Boxes:
        if frame is None:
            return read_openpose(self._of_picture(path))
        file = self._frames(path.stem).get(frame)
        return openpose_boxes(read_json(file), file) if file else Boxes.of([], [])

    def _of_picture(self, path):
        tried = [self._folder / f"{path.stem}{end}" for end in ("_keypoints.json", ".json")]
        for file in tried:
            if file.is_file():
                return file
        raise FileNotFoundError(f"{path} has no keypoints: {tried[0]} does not exist.")

    def _frames(self, stem):
        """Frame number -> file."""
        pattern = re.compile(re.escape(stem) + r"_(\d+)(_keypoints)?\.json")
        found = {int(m[1]): self._folder / m[0] for m in map(pattern.fullmatch, self._names) if m}
        return found or {k: self._folder / name for k, name in enumerate(self._names)}


class CocoDetections:
    """A list of `{image_id or file_name, bbox, score}`; a `category_id` must be that of persons.

    A picture is identified by `file_name`, or by an `image_id` that is its name, its name without
    the suffix, or the number in it (COCO_val2014_000000000139.jpg has 139); a frame of a video is
    identified by its number.
    """

    is_per_frame = True
    is_for_one = False

    def __init__(self, content: list, path: pathlib.Path, min_score: float):
        self._path = path
        self._boxes: dict[str, list] = {}
        for number, entry in enumerate(content):
            key, box, score = _detection(entry, number, path)
            if score >= min_score and entry.get("category_id", 1) == 1:
                self._boxes.setdefault(key, []).append((box, score))

    def find(self, path, picture, frame=None) -> Boxes:
        keys = _keys_of(path) if frame is None else [str(frame)]
        for key in keys:
            if key in self._boxes:
                return Boxes.of(*zip(*self._boxes[key], strict=True))
        if frame is None:
            raise ValueError(
                f"{path}: {self._path} has nobody for it with a score of at least --min_score."
            )
        return Boxes.of([], [])


def _detection(entry, number, path):
    """(key, [x, y, w, h], score) of one entry."""
    try:
        key = entry["file_name"] if "file_name" in entry else entry["image_id"]
        box = np.asarray(entry["bbox"], np.float64)
        score = float(entry.get("score", 1.0))
        if box.shape != (4,) or not np.isfinite([*box, score]).all():
            raise ValueError
    except (TypeError, KeyError, ValueError, AttributeError):
        raise ValueError(
            f"{path}: entry {number} must have 'image_id' or 'file_name', 'bbox' "
            f"[x, y, width, height] and 'score'; got {json.dumps(entry)[:120]}."
        ) from None
    return str(key), box, score


def _keys_of(path):
    """The keys that may name a picture in a file of detections, the surest first."""
    numbers = re.findall(r"\d+", path.stem)
    return [str(path), path.name, path.stem, *(str(int(n)) for n in numbers[-1:])]
