"""COCO 2014 keypoints: pictures and annotations for training and for validation."""

import functools
import json
import pathlib

import cv2
import numpy as np

from hmr_tf2.standin import backgrounds, people
from hmr_tf2.standin.raw.runner import Order
from tfrecords_tools import joints

_STREAM, _STREAM_VAL = 6, 9
# One validation picture for so many training pictures, but not fewer than some people fill.
_PER_VAL_PICTURE, _MIN_VAL_PICTURES = 10, 8
_CROWD_EVERY = 12
_FROM_COCO_PLUS = list(joints.COCO_PLUS.indices(joints.COCO.names))
_BONES = (
    "left_ankle-left_knee left_knee-left_hip right_ankle-right_knee right_knee-right_hip "
    "left_hip-right_hip left_shoulder-left_hip right_shoulder-right_hip "
    "left_shoulder-right_shoulder left_shoulder-left_elbow right_shoulder-right_elbow "
    "left_elbow-left_wrist right_elbow-right_wrist left_eye-right_eye nose-left_eye "
    "nose-right_eye left_eye-left_ear right_eye-right_ear left_ear-left_shoulder "
    "right_ear-right_shoulder"
).split()


def write(folder: pathlib.Path, order: Order):
    """Writes `order.people` pictures of one to three people, near and far, some cut off.

    A tenth as many are for validation.
    """
    num_val = max(_MIN_VAL_PICTURES, order.people // _PER_VAL_PICTURE)
    (folder / "annotations").mkdir()
    _write_split(folder, order, "train", order.people, _STREAM)
    _write_split(folder, order, "val", num_val, _STREAM_VAL)


def _write_split(folder, order, split, num_pictures, stream):
    home = folder / "images" / f"{split}2014"
    home.mkdir(parents=True)
    draw = functools.partial(_picture, home, order, stream)
    entries = order.run(draw, range(num_pictures), f"coco {split}")
    annotations = [annotation for _, people_there in entries for annotation in people_there]
    for number, annotation in enumerate(annotations):
        annotation["id"] = number + 1
    content = {
        "info": {"description": "Stand-in people in the format of COCO 2014", "year": 2014},
        "licenses": [],
        "images": [image for image, _ in entries],
        "annotations": annotations,
        "categories": [_category()],
    }
    path = folder / "annotations" / f"person_keypoints_{split}2014.json"
    path.write_text(json.dumps(content))


def _picture(home, order, stream, number):
    rng = order.rng(stream, number)
    size = (int(rng.integers(240, 420)), int(rng.integers(280, 500)))
    count = int(rng.choice([1, 1, 1, 2, 3]))
    share = (0.45, 0.95) if rng.random() < 0.75 else (0.95, 1.5)
    photo = people.random_photo(rng, size, count, share, order.variety)
    image_id = 100 + 17 * number
    name = f"COCO_{home.name}_{image_id:012d}.jpg"
    (home / name).write_bytes(backgrounds.jpeg(rng, photo.image))
    image = {"id": image_id, "file_name": name, "height": size[0], "width": size[1], "license": 1}
    annotations = [_annotation(person, image_id) for person in photo.people]
    annotations = [annotation for annotation in annotations if annotation]
    if number % _CROWD_EVERY == _CROWD_EVERY - 1:
        annotations.append(_crowd(image_id, size))
    return image, annotations


def _annotation(person, image_id):
    """The annotation of one person; None if nothing of the person is visible."""
    outlines, _ = cv2.findContours(
        person.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    outlines = [outline.reshape(-1, 2) for outline in outlines if len(outline) >= 4]
    if not outlines:
        return None
    keypoints = _keypoints(person)
    x, y, w, h = cv2.boundingRect(np.concatenate(outlines))
    return {
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "segmentation": [outline.astype(float).ravel().tolist() for outline in outlines],
        "bbox": [float(x), float(y), float(w), float(h)],
        "area": float(person.mask.sum()),
        "keypoints": keypoints.ravel().tolist(),
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
    }


def _keypoints(person):
    """int [17, 3]: x, y, and 2 for visible, 1 for hidden, 0 (and x = y = 0) for outside."""
    pixels = np.round(person.keypoints_px[_FROM_COCO_PLUS]).astype(int)
    height, width = person.mask.shape
    inside = ((pixels >= 0) & (pixels < [width, height])).all(1)
    level = np.where(person.visible[_FROM_COCO_PLUS], 2, 1)
    return np.column_stack([pixels, level]) * inside[:, None]


def _crowd(image_id, size):
    """A crowd region as COCO stores it: run lengths, no keypoints."""
    empty, full = size[0] * (size[1] // 2), size[0] * (size[1] - size[1] // 2)
    return {
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 1,
        "segmentation": {"counts": [empty, full], "size": list(size)},
        "bbox": [float(size[1] // 2), 0.0, float(size[1] - size[1] // 2), float(size[0])],
        "area": float(full),
        "keypoints": [0] * 51,
        "num_keypoints": 0,
    }


def _category():
    pairs = [joints.COCO.indices(bone.split("-")) for bone in _BONES]
    return {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(joints.COCO.names),
        "skeleton": [[a + 1, b + 1] for a, b in pairs],
    }
