"""COCO 2014 keypoints (Lin et al., 2014): people with enough joints, in train and val."""

import collections
import contextlib
import dataclasses
import functools
import io
import pathlib
from collections.abc import Sequence

import numpy as np
from absl import logging
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from tfrecords_tools import images, joints
from tfrecords_tools.files import fingerprint
from tfrecords_tools.plan import (
    ConversionError,
    Converted,
    Items,
    Plan,
    Skip,
    at_once,
    existing_file,
    existing_folder,
)
from tfrecords_tools.readers import people

MARGIN_PX = 200
MIN_CLEARLY_VISIBLE = 6
MIN_SIDE_PX = 60

_PERSON_PX = 150.0
_TORSO_PX = 75.0
_UPPER_BODY_PX = 50.0
_PERSON_CATEGORY = 1
_CLEARLY_VISIBLE = 2

_LIMBS = [
    name for name in joints.COCO.names if name.endswith(("ankle", "knee", "hip", "wrist", "elbow"))
]
_COCO_LIMBS = list(joints.COCO.indices(_LIMBS))
_PLUS_LIMBS = list(joints.COCO_PLUS.indices(_LIMBS))
_ANKLES = list(joints.COCO_PLUS.indices(("right_ankle", "left_ankle")))
_SIDES = [
    joints.COCO_PLUS.indices((f"{side}_shoulder", f"{side}_hip")) for side in ("left", "right")
]


@dataclasses.dataclass(frozen=True)
class Annotated:
    """A person as annotated: keypoints [17, 3], and the mask as polygons or run lengths."""

    keypoints: np.ndarray
    segmentation: list | dict


@dataclasses.dataclass(frozen=True)
class Item:
    """One picture, with those of its people whose keypoints suffice."""

    file: str
    height: int
    width: int
    annotated: Sequence[Annotated]


def plans(folder: str | None, examples_per_shard: int = 500) -> list[Plan]:
    """The plan for train, and the one for val if its annotations are there."""
    root = existing_folder(folder, "coco_dir", "COCO 2014 (annotations/ and pictures)")
    existing_file(_annotation_file(root, "train"), "the keypoints of COCO 2014")
    return [
        _plan(root, split, examples_per_shard)
        for split in ("train", "val")
        if _annotation_file(root, split).is_file()
    ]


def _annotation_file(root: pathlib.Path, split: str) -> pathlib.Path:
    return root / "annotations" / f"person_keypoints_{split}2014.json"


def _plan(root: pathlib.Path, split: str, examples_per_shard: int) -> Plan:
    path = _annotation_file(root, split)
    return Plan(
        name=f"coco/{split}",
        schema="image",
        shards=f"coco/{split}_%04d_wmeta.tfrecord",
        open_items=at_once(lambda: read_annotations(path)),
        read=functools.partial(read, _picture_folder(root, split)),
        settings={
            "annotations": fingerprint(root, [path]),
            "examples_per_shard": examples_per_shard,
        },
        examples_per_shard=examples_per_shard,
        keeps_items_whole=True,
    )


def _picture_folder(root: pathlib.Path, split: str) -> pathlib.Path:
    choices = [root / "images" / f"{split}2014", root / f"{split}2014"]
    for folder in choices:
        if folder.is_dir():
            return folder
    raise ConversionError(
        f"The pictures of COCO are missing: expected the folder {choices[0]} or {choices[1]}."
    )


def read_annotations(path: pathlib.Path) -> Items:
    """The pictures with people who have enough keypoints, in the order of the COCO API."""
    logging.info("coco: reading %s", path)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the API reports to stdout
            coco = COCO(str(path))
        skipped: collections.Counter[str] = collections.Counter()
        items = []
        # The API returns ids in the order of a Python set. The original's shards have that order.
        for image_id in coco.getImgIds(catIds=[_PERSON_CATEGORY]):
            ids = coco.getAnnIds(imgIds=image_id, catIds=[_PERSON_CATEGORY], iscrowd=False)
            annotated = _usable(coco.loadAnns(ids), skipped)
            if annotated:
                image = coco.loadImgs(image_id)[0]
                items.append(Item(image["file_name"], image["height"], image["width"], annotated))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConversionError(
            f"{path} is not an annotation file of COCO keypoints: {type(error).__name__}: {error}"
        ) from error
    return Items(items, dict(skipped))


def _usable(annotations: list[dict], skipped: collections.Counter) -> list[Annotated]:
    usable = []
    for annotation in annotations:
        keypoints = annotation.get("keypoints")
        if not isinstance(keypoints, list) or annotation.get("num_keypoints", 0) == 0:
            skipped["person without keypoints"] += 1
            continue
        values = np.array(keypoints, np.float64).reshape(len(joints.COCO), 3)
        if np.sum(values[:, 2] == _CLEARLY_VISIBLE) < MIN_CLEARLY_VISIBLE:
            skipped["too few visible joints"] += 1
        elif not values[_COCO_LIMBS, 2].any():
            skipped["only face and shoulders"] += 1
        else:
            usable.append(Annotated(values, annotation["segmentation"]))
    return usable


def read(folder: pathlib.Path, item: Item) -> Converted:
    """Examples of the people of one picture whose mask is large enough."""
    found: list[people.Person] = []
    skipped: list[Skip] = []
    for annotated in item.annotated:
        try:
            found.append(_person(annotated, item))
        except images.BadSampleError as error:
            skipped.append(error.skip)
    if not found:
        return Converted(skipped=skipped)
    made = people.read(folder, MARGIN_PX, people.Picture(item.file, found))
    return Converted(made.examples, [*skipped, *made.skipped])


def _person(annotated: Annotated, item: Item) -> people.Person:
    if max(_mask_sides(annotated.segmentation, item)) <= MIN_SIDE_PX:
        raise images.BadSampleError("person too small", item.file, is_fault=False)
    keypoints = to_coco_plus(annotated.keypoints)
    images.check_keypoints(keypoints, item.file)
    scale = person_scale(keypoints)
    if scale is None:
        raise images.BadSampleError("face only", item.file, is_fault=False)
    return people.Person(keypoints, scale)


def _mask_sides(segmentation: list | dict, item: Item) -> tuple[float, float]:
    """The largest minus the smallest x, and the same for y, of the mask's pixels."""
    try:
        if isinstance(segmentation, list) or isinstance(segmentation["counts"], list):
            runs = coco_mask.frPyObjects(segmentation, item.height, item.width)
        else:
            runs = segmentation
        runs = coco_mask.merge(runs) if isinstance(runs, list) else runs
        _, _, width, height = coco_mask.toBbox(runs)
    except Exception as error:
        raise images.BadSampleError("mask damaged", item.file) from error
    if not width or not height:
        raise images.BadSampleError("mask empty", item.file)
    # A box counts pixels, so it is one larger than the difference of coordinates.
    return width - 1, height - 1


def to_coco_plus(keypoints: np.ndarray) -> np.ndarray:
    """[17, 3] in COCO's order to [19, 3]; neck and head top, which COCO lacks, are zero."""
    plus = np.zeros((len(joints.COCO_PLUS), 3))
    plus[list(joints.COCO_PLUS.indices(joints.COCO.names))] = keypoints
    return plus


def person_scale(keypoints: np.ndarray) -> float | None:
    """The factor that makes the person about 150 px tall; None if only the face is visible."""
    visible = keypoints[:, 2].astype(bool)
    extent = images.box(keypoints[visible, :2])[1]
    if visible[_ANKLES].any():
        return _PERSON_PX / extent if extent else None
    torso = people.mean_distance(keypoints, _SIDES)
    if torso is not None:
        return _TORSO_PX / torso if torso else None
    if visible[_PLUS_LIMBS].any():
        return _UPPER_BODY_PX / extent if extent else None
    return None
