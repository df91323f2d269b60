"""MPII Human Pose (Andriluka et al., 2014): the training people who stand apart from others."""

import collections
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.io
from absl import logging

from tfrecords_tools import images, joints
from tfrecords_tools.files import fingerprint
from tfrecords_tools.plan import (
    ConversionError,
    Items,
    Plan,
    at_once,
    existing_file,
    existing_folder,
)
from tfrecords_tools.readers import people

ANNOTATIONS = "annotations/mpii_human_pose_v1_u12_1.mat"
# The archive of the annotations has the folder of the second name, and is unpacked in many places.
_OTHER_PLACES = (
    "mpii_human_pose_v1_u12_1.mat",
    "mpii_human_pose_v1_u12_2/mpii_human_pose_v1_u12_1.mat",
    "annotations/mpii_human_pose_v1_u12_2/mpii_human_pose_v1_u12_1.mat",
)
MARGIN_PX = 300

_PERSON_PX = 150.0
_TORSO_PX = 75.0
_SHOULDER_TO_HIP_PX = 56.0

_IDS = joints.MPII.indices(joints.LSP.names)
_ANKLES = joints.LSP.indices(("right_ankle", "left_ankle"))

# What akanazawa/hmr (src/datasets/mpii_to_tfrecords.py) takes for the torso starts at the head
# top: it uses MPII's number of a shoulder in the order of LSP. The records depend on it, so it is
# kept.
_TORSO = [joints.LSP.indices(("head_top", hip)) for hip in ("right_hip", "left_hip")]
_SIDES = [joints.LSP.indices((f"{side}_shoulder", f"{side}_hip")) for side in ("right", "left")]


def plans(folder: str | None, examples_per_shard: int = 500) -> list[Plan]:
    """The training split; the joints of the test split were never published."""
    root = existing_folder(folder, "mpii_dir", "MPII (annotations/ and images/)")
    places = [root / place for place in (ANNOTATIONS, *_OTHER_PLACES)]
    path = next((place for place in places if place.is_file()), places[0])
    existing_file(path, "the annotations of MPII")
    if not (root / "images").is_dir():
        raise ConversionError(f"{root / 'images'} is missing: expected the pictures of MPII.")
    return [
        Plan(
            name="mpii/train",
            schema="image",
            shards="mpii/train_%03d.tfrecord",
            open_items=at_once(lambda: read_pictures(path)),
            read=people.reader(root, MARGIN_PX),
            settings={
                "annotations": fingerprint(root, [path]),
                "examples_per_shard": examples_per_shard,
            },
            examples_per_shard=examples_per_shard,
            keeps_items_whole=True,
        )
    ]


def read_pictures(path: pathlib.Path) -> Items:
    """The training pictures with at least one usable person."""
    logging.info("mpii: reading %s, which takes a minute", path)
    try:
        release = scipy.io.loadmat(path, struct_as_record=False, squeeze_me=True)["RELEASE"]
        annotations = np.atleast_1d(release.annolist)
        # Of a single picture, SciPy gives its people in place of a list of one picture.
        single = [release.single_person] if len(annotations) == 1 else release.single_person
        rows = list(zip(annotations, np.atleast_1d(release.img_train), single, strict=True))
    except Exception as error:
        raise ConversionError(
            f"{path} is not the annotation file of MPII: {type(error).__name__}: {error}"
        ) from error
    skipped: collections.Counter[str] = collections.Counter()
    pictures = []
    for annotation, is_train, single in rows:
        if not is_train:
            continue
        if not isinstance(getattr(getattr(annotation, "image", None), "name", None), str):
            skipped["picture without a name"] += 1
        elif found := list(_people(annotation, single, skipped)):
            pictures.append(people.Picture(f"images/{annotation.image.name}", found))
    return Items(pictures, dict(skipped))


def _people(annotation: Any, single: Any, skipped: collections.Counter) -> Iterator[people.Person]:
    rects = np.atleast_1d(getattr(annotation, "annorect", []))
    for number in np.atleast_1d(single).astype(int):  # counted from 1
        keypoints = _keypoints(rects[number - 1]) if 1 <= number <= len(rects) else None
        if keypoints is None:
            skipped["person without keypoints"] += 1
            continue
        scale = person_scale(keypoints)
        if scale is None:
            skipped["person too close"] += 1
            continue
        yield people.Person(keypoints, scale)


def _keypoints(rect: Any) -> np.ndarray | None:
    """[14, 3]; an annotated joint counts as visible. None if there are fewer than two points."""
    points = getattr(getattr(rect, "annopoints", None), "point", None)
    if not isinstance(points, np.ndarray):
        return None
    try:
        by_id = {int(point.id): (float(point.x), float(point.y), 1.0) for point in points}
    except (AttributeError, TypeError, ValueError):  # a field is missing or empty
        return None
    return np.array([by_id.get(id_, (0.0, 0.0, 0.0)) for id_ in _IDS], np.float64)


def person_scale(keypoints: np.ndarray) -> float | None:
    """The factor that makes the person about 150 px tall; None if too little is visible."""
    visible = keypoints[:, 2].astype(bool)
    if visible[list(_ANKLES)].any():
        extent = images.box(keypoints[visible, :2])[1]
        return _PERSON_PX / extent if extent else None
    for pairs, length_px in ((_TORSO, _TORSO_PX), (_SIDES, _SHOULDER_TO_HIP_PX)):
        length = people.mean_distance(keypoints, pairs)
        if length is not None:
            return length_px / length if length else None
    return None
