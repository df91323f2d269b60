"""COCO keypoints (Lin et al., 2014), and own data in that form: people with enough joints."""

import collections
import dataclasses
import functools
import ntpath
import pathlib
from collections.abc import Iterator

import numpy as np
from absl import logging
from pycocotools import mask as coco_mask

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
from tfrecords_tools.readers import coco_annotations, people
from tfrecords_tools.readers.coco_annotations import Annotated, Item

MARGIN_PX = 200
MIN_CLEARLY_VISIBLE = 6
MIN_SIDE_PX = 60

_PERSON_PX = 150.0
_TORSO_PX = 75.0
_UPPER_BODY_PX = 50.0
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


# The original's release, and the one that has its place where that is absent.
RELEASES = (2014, 2017)


@dataclasses.dataclass(frozen=True)
class Source:
    """An annotation file and the folder that holds its pictures.

    Attributes:
        annotations: the file.
        pictures: the folder.
        is_own: whether it is somebody's own data, in which a person may have no mask.
    """

    annotations: pathlib.Path
    pictures: pathlib.Path
    is_own: bool = False


def plans(
    folder: str | None,
    examples_per_shard: int = 500,
    annotations: str | None = None,
    pictures: str | None = None,
) -> list[Plan]:
    """The plan for train, and the one for val if its annotations are there.

    Args:
        folder: holds `annotations/` and the pictures of COCO 2014, or else of COCO 2017.
        examples_per_shard: a shard is closed when it holds this many.
        annotations: own data in COCO's form in place of COCO: the annotation file.
        pictures: the folder of the pictures of own data.
    """
    if annotations or pictures:
        return [_own_plan(annotations, pictures, examples_per_shard)]
    root = existing_folder(folder, "coco_dir", "COCO 2014 (annotations/ and pictures)")
    release = next((r for r in RELEASES if _annotation_file(root, "train", r).is_file()), None)
    if release is None:
        expected = _annotation_file(root, "train", RELEASES[0])
        existing_file(
            expected,
            "the keypoints of COCO 2014, or person_keypoints_train2017.json beside it; own data "
            "in COCO's form goes to --coco_annotations and --coco_images",
        )
    assert release is not None
    if release != RELEASES[0]:
        logging.info("coco: COCO %d is taken; COCO %d is not there", release, RELEASES[0])
    found = []
    for split in ("train", "val"):
        file = _annotation_file(root, split, release)
        if file.is_file():
            source = Source(file, _picture_folder(root, split, release))
            settings = {} if release == RELEASES[0] else {"release": release}
            found.append(_plan(root, split, source, examples_per_shard, settings))
    return found


def _own_plan(annotations: str | None, pictures: str | None, examples_per_shard: int) -> Plan:
    for flag, value, other in (
        ("coco_annotations", annotations, "coco_images"),
        ("coco_images", pictures, "coco_annotations"),
    ):
        if not value:
            raise ConversionError(
                f"--{flag} is not set, but --{other} is: own data in COCO's form needs both, the "
                "annotation file and the folder of its pictures."
            )
    assert annotations is not None
    file = existing_file(
        pathlib.Path(annotations).expanduser(), "the annotations that --coco_annotations names"
    )
    source = Source(file, existing_folder(pictures, "coco_images", "the pictures"), is_own=True)
    logging.info("coco: own data is taken: %s, with the pictures in %s", file, source.pictures)
    return _plan(file.parent, "train", source, examples_per_shard, {"source": file.name})


def _annotation_file(root: pathlib.Path, split: str, release: int) -> pathlib.Path:
    name = f"person_keypoints_{split}{release}.json"
    # The archive of the annotations has this name, and a folder `annotations` inside.
    unpacked = root / f"annotations_trainval{release}" / "annotations" / name
    return unpacked if unpacked.is_file() else root / "annotations" / name


def _plan(
    root: pathlib.Path, split: str, source: Source, examples_per_shard: int, settings: dict
) -> Plan:
    return Plan(
        name=f"coco/{split}",
        schema="image",
        shards=f"coco/{split}_%04d_wmeta.tfrecord",
        open_items=at_once(lambda: read_annotations(source.annotations)),
        read=functools.partial(read, source),
        settings={
            "annotations": fingerprint(root, [source.annotations]),
            "examples_per_shard": examples_per_shard,
            **settings,
        },
        examples_per_shard=examples_per_shard,
        keeps_items_whole=True,
    )


def _picture_folder(root: pathlib.Path, split: str, release: int) -> pathlib.Path:
    choices = [root / "images" / f"{split}{release}", root / f"{split}{release}"]
    for folder in choices:
        if folder.is_dir():
            return folder
    raise ConversionError(
        f"The pictures of COCO are missing: expected the folder {choices[0]} or {choices[1]}."
    )


def read_annotations(path: pathlib.Path) -> Items:
    """The pictures with people who have enough keypoints, in the order of the COCO API."""
    logging.info("coco: reading %s", path)
    skipped: collections.Counter[str] = collections.Counter()
    items = []
    for item in coco_annotations.read_items(path, skipped):
        annotated = [person for person in item.annotated if _is_usable(person, skipped)]
        if annotated:
            items.append(dataclasses.replace(item, annotated=annotated))
    return Items(items, dict(skipped))


def _is_usable(person: Annotated, skipped: collections.Counter) -> bool:
    visibility = person.keypoints[:, 2]
    if np.sum(visibility == _CLEARLY_VISIBLE) < MIN_CLEARLY_VISIBLE:
        skipped["too few visible joints"] += 1
    elif not visibility[_COCO_LIMBS].any():
        skipped["only face and shoulders"] += 1
    else:
        return True
    return False


def read(source: Source, item: Item) -> Converted:
    """Examples of the people of one picture who are large enough."""
    found: list[people.Person] = []
    skipped: list[Skip] = []
    file = picture_file(source, item.file)
    for annotated in item.annotated:
        try:
            found.append(_person(annotated, item, source, file))
        except images.BadSampleError as error:
            skipped.append(error.skip)
    if not found:
        return Converted(skipped=skipped)
    made = people.read(source.pictures, MARGIN_PX, people.Picture(file, found))
    return Converted(made.examples, [*skipped, *made.skipped])


def picture_file(source: Source, name: str) -> str:
    """The path of a picture below the folder of pictures, or its whole path.

    Own data often names pictures by the path that they had on another machine, or begins with the
    name of the folder itself.
    """
    if source.is_own:
        for candidate in (name, *_other_paths(source.pictures, name)):
            if (source.pictures / candidate).is_file():
                return candidate
    return name


def _other_paths(folder: pathlib.Path, name: str) -> Iterator[str]:
    """What may be left of a path of another machine: of a whole one, any number of last parts."""
    parts = [part for part in name.replace("\\", "/").split("/") if part]
    is_whole = name.startswith("/") or ntpath.isabs(name)
    if is_whole or "\\" in name:
        yield "/".join(parts)
    if is_whole or parts[:1] == [folder.name]:
        for start in range(1, len(parts) if is_whole else min(2, len(parts))):
            yield "/".join(parts[start:])


def _person(annotated: Annotated, item: Item, source: Source, file: str) -> people.Person:
    if max(_sides(annotated, item, source, file)) <= MIN_SIDE_PX:
        raise images.BadSampleError("person too small", item.file, is_fault=False)
    keypoints = to_coco_plus(annotated.keypoints)
    images.check_keypoints(keypoints, item.file)
    scale = person_scale(keypoints)
    if scale is None:
        raise images.BadSampleError("face only", item.file, is_fault=False)
    return people.Person(keypoints, scale)


def _sides(
    annotated: Annotated, item: Item, source: Source, file: str
) -> tuple[float, float] | np.ndarray:
    """Width and height of a person: of the mask; without one of the box, or of the keypoints."""
    mask = annotated.segmentation
    # Every person of COCO's own has a mask: an empty one is damage there. Own data has it from
    # tools that write the entry in any case.
    if mask is not None and (mask or not source.is_own):
        height, width = item.height, item.width
        if height is None or width is None:
            data = images.read_file(source.pictures / file)
            height, width = images.decode(data, item.file).shape[:2]
        return _mask_sides(mask, height, width, item.file)
    if annotated.box is not None:
        return annotated.box[2:]
    points = annotated.keypoints[annotated.keypoints[:, 2] > 0, :2]
    return np.ptp(points, axis=0)


def _mask_sides(
    segmentation: list | dict, height: int, width: int, name: str
) -> tuple[float, float]:
    """The largest minus the smallest x, and the same for y, of the mask's pixels."""
    try:
        if isinstance(segmentation, list):
            _check_polygons(segmentation)
        if isinstance(segmentation, list) or isinstance(segmentation["counts"], list):
            runs = coco_mask.frPyObjects(segmentation, height, width)
        else:
            runs = segmentation
        runs = coco_mask.merge(runs) if isinstance(runs, list) else runs
        _, _, mask_width, mask_height = coco_mask.toBbox(runs)
    except Exception as error:
        raise images.BadSampleError("mask damaged", name) from error
    if not mask_width or not mask_height:
        raise images.BadSampleError("mask empty", name)
    # A box counts pixels, so it is one larger than the difference of coordinates.
    return mask_width - 1, mask_height - 1


def _check_polygons(polygons: list) -> None:
    """Raises ValueError for corners that are no pixels: the COCO API fills memory for them."""
    for polygon in polygons:
        if isinstance(polygon, list):
            corners = np.abs(np.asarray(polygon, np.float64))
            if not (corners < images.MAX_COORDINATE_PX).all():  # False for NaN too
                raise ValueError("a mask has corners that are no pixels")


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
