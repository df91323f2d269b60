"""Files that say where people are: OpenPose's, and those of other detectors."""

import os
import pathlib

from absl import logging

from hmr_tf2.capture import sources
from hmr_tf2.capture.boxes import Boxes, BoxSource, GivenBoxes
from hmr_tf2.capture.frame_names import NameIndex, frames_in_order
from hmr_tf2.capture.json_files import read_json
from hmr_tf2.capture.keypoint_boxes import VISIBLE
from hmr_tf2.capture.people_files import OPENPOSE_KEYS as OPENPOSE_KEYS
from hmr_tf2.capture.people_files import People, Person, boxes_of, people_of

# What follows a picture's or frame's name in the name of its file, the first preferred.
ENDINGS = ("_keypoints.json", ".json")


def read_boxes(path: pathlib.Path, min_score: float) -> BoxSource:
    """Reads a detector's file, or a folder of them; docs/outputs.md lists what can be read.

    Raises:
        ValueError, OSError: `path` is neither.
    """
    if path.is_dir():
        return FolderOfBoxes(path, min_score)
    content = read_json(path)
    if content == []:
        raise ValueError(f"{path} is an empty list: its detector found nobody anywhere.")
    people = people_of(content, path, min_score)
    if set(people.of) == {None}:
        _say_passed_over(path, people)
        return GivenBoxes(_somebody(people, path))
    return DetectionsFile(people, path)


def read_openpose(path: str | os.PathLike) -> Boxes:
    """The boxes in a file of one picture, such as OpenPose's; at least one.

    Raises:
        OSError: there is no such file.
        ValueError: it is not such a file, or shows nobody; the message names it.
    """
    return _somebody(people_of(read_json(path), path), path)


class FolderOfBoxes:
    """One file per picture, `<name>_keypoints.json` or `<name>.json`.

    For a video, one file per frame, `<name>_<number>_keypoints.json` as OpenPose names them, or
    files that are only numbered; or one file for all frames, `<name>.json`.
    """

    is_per_frame = True
    is_for_one = False

    def __init__(self, folder: pathlib.Path, min_score: float = 0.0):
        self._folder = folder
        self._min_score = min_score
        self._files: dict[str, str] = {}
        for name in sorted(p.name for p in folder.iterdir() if p.name.endswith(".json")):
            ending = next(end for end in ENDINGS if name.endswith(end))
            # The longer ending comes last in this order, and is preferred.
            self._files[name.removesuffix(ending)] = name
        if not self._files:
            raise FileNotFoundError(f"--json_path={folder} holds no .json file.")
        self._index = NameIndex(self._files, str(folder), frames_in_order)
        self._whole: dict[pathlib.Path, DetectionsFile | None] = {}
        self._has_warned = False

    def find(self, path, picture, frame=None) -> Boxes:
        if frame is None:
            file = self._of_picture(path)
            return _somebody(self._people(file, path, frame), file)
        video = path if sources.is_video(path) else path.parent
        if video not in self._whole:
            self._whole[video] = self._file_of_all_frames(video)
        whole = self._whole[video]
        if whole is not None:
            return whole.find(path, picture, frame)
        name = self._index.of_frame(path, frame)
        if name is None:
            return boxes_of([])
        file = self._folder / self._files[str(name)]
        people = self._people(file, path, frame)
        if people.passed_over and not self._has_warned:
            self._has_warned = True
            _say_passed_over(file, people)
            logging.warning("Who is passed over in the other files of the folder is not said.")
        return boxes_of(people.of[None])

    def _of_picture(self, path):
        name = self._files.get(path.stem)
        if name is None:
            tried = self._folder / f"{path.stem}{ENDINGS[0]}"
            raise FileNotFoundError(f"{path} has no keypoints: {tried} does not exist.")
        return self._folder / name

    def _people(self, file, path, frame) -> People:
        """The people in the one picture or frame that a file is of."""
        people = people_of(read_json(file), file, self._min_score)
        if len(people.of) <= 1:  # whatever the file calls its picture
            return people._replace(of={None: [p for group in people.of.values() for p in group]})
        found = DetectionsFile(people, file).people_in(path, frame)
        return people._replace(of={None: found})

    def _file_of_all_frames(self, video):
        """What MMPose writes for a video: one file, with the video's name."""
        name = self._files.get(video.stem)
        if name is None:
            return None
        file = self._folder / name
        people = people_of(read_json(file), file, self._min_score)
        is_of_many = len(people.of) > 1 or any(isinstance(key, int) for key in people.of)
        return DetectionsFile(people, file) if is_of_many else None


class DetectionsFile:
    """One file with the people of many pictures, or of the frames of a video.

    A picture is identified by its name, its name without the suffix, or the number in it
    (COCO_val2014_000000000139.jpg has 139); a frame of a video by its number, from 0, alone or
    after the name of the video.
    """

    is_per_frame = True
    is_for_one = False

    def __init__(self, people: People, path: pathlib.Path):
        self._path = path
        self._of = people.of
        names = [name for name in people.of if name is not None]
        # Frames that are numbered by their place in the file are right as they are.
        are_all = people.are_all and not any(isinstance(name, int) for name in names)
        self._index = NameIndex(names, str(path), lambda numbers: numbers, are_all)
        _say_passed_over(path, people)

    def find(self, path, picture, frame=None) -> Boxes:
        people = self.people_in(path, frame)
        if frame is None and not people:
            are_numbers = all(isinstance(name, int) for name in self._of)
            raise ValueError(
                f"{path}: {self._path} has nobody for it who is a person with a score of at least "
                "--min_score"
                f"{'; it numbers the frames of a video, and names no picture' * are_numbers}."
            )
        return boxes_of(people)

    def people_in(self, path: pathlib.Path, frame: int | None) -> list[Person]:
        """The people in a picture, or in a frame of a video; possibly none.

        Raises:
            ValueError: the file has nothing of this video, or it is not clear what.
        """
        if frame is None:
            name = self._index.of_picture(path)
        else:
            name = self._index.of_frame(path, frame)
        return [] if name is None else self._of[name]


def _somebody(people, path) -> Boxes:
    """The boxes in a file of one picture, at least one."""
    found = boxes_of([person for group in people.of.values() for person in group])
    if not len(found.boxes):
        raise ValueError(
            f"{path} has no person with keypoints of a confidence over {VISIBLE}, or with a box"
            f"{'' if not people.passed_over else ': ' + people.passed_over[0]}."
        )
    return found


def _say_passed_over(path, people):
    if people.passed_over:
        logging.warning(
            "%s: %d of its people are passed over. The first: %s.",
            path,
            len(people.passed_over),
            people.passed_over[0],
        )
