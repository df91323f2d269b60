"""MPII Human Pose: images/ and annotations/mpii_human_pose_v1_u12_1.mat."""

import functools
import pathlib

import numpy as np

from hmr_tf2.standin import backgrounds, people
from hmr_tf2.standin.raw.runner import Order, write_mat
from tfrecords_tools import joints

_STREAM = 3
_TEST_EVERY = 10
_MEAN_OF = {"pelvis": ("left_hip", "right_hip"), "thorax": ("left_shoulder", "right_shoulder")}


def write(folder: pathlib.Path, order: Order):
    """Writes `order.people` pictures of one to three people; every tenth is an unlabelled test."""
    (folder / "images").mkdir()
    draw = functools.partial(_picture, folder / "images", order)
    entries = order.run(draw, range(order.people), "mpii")
    train = np.array([number % _TEST_EVERY != _TEST_EVERY - 1 for number in range(order.people)])
    single = np.empty((order.people, 1), object)
    for number, entry in enumerate(entries):
        single[number, 0] = _single_people(entry)
    release = {
        "annolist": _structs(entries),
        "img_train": train.astype(float),
        "single_person": single,
        "version": "12",
    }
    (folder / "annotations").mkdir()
    path = folder / "annotations" / "mpii_human_pose_v1_u12_1.mat"
    write_mat(path, {"RELEASE": release})


def _picture(home, order, number):
    rng = order.rng(_STREAM, number)
    size = (int(rng.integers(280, 420)), int(rng.integers(320, 560)))
    count = int(rng.choice([1, 1, 1, 2, 3]))
    share = (0.5, 0.95) if rng.random() < 0.8 else (0.95, 1.4)
    photo = people.random_photo(rng, size, count, share, order.variety)
    name = f"{15601864 + 37 * number:09d}.jpg"
    (home / name).write_bytes(backgrounds.jpeg(rng, photo.image))
    is_train = number % _TEST_EVERY != _TEST_EVERY - 1
    rects = [_rectangle(person, is_train) for person in photo.people]
    return {
        "image": {"name": name},
        "annorect": rects[0] if count == 1 else _structs(rects),
        "frame_sec": 0,
        "vididx": 1,
    }


def _rectangle(person, is_train):
    """The place and size of a person, and for those in training the joints and the head box."""
    pixels = person.keypoints_px.astype(float)
    low, high = pixels.min(0), pixels.max(0)
    centre = (low + high) / 2
    place = {
        "scale": float((high - low).max() / 200),
        "objpos": {"x": float(centre[0]), "y": float(centre[1])},
    }
    if not is_train:
        return place
    neck, top = (pixels[joints.COCO_PLUS.index(name)] for name in ("neck", "head_top"))
    middle, half = (neck + top) / 2, np.linalg.norm(top - neck) / 2
    box = {
        "x1": middle[0] - half,
        "y1": middle[1] - half,
        "x2": middle[0] + half,
        "y2": middle[1] + half,
    }
    return {**box, **place, "annopoints": {"point": _structs(_points(person))}}


def _points(person):
    """The annotated joints: those inside the picture, seen or hidden."""
    height, width = person.mask.shape
    points = []
    for number, name in enumerate(joints.MPII.names):
        rows = list(joints.COCO_PLUS.indices(_MEAN_OF.get(name, (name,))))
        x, y = person.keypoints_px[rows].mean(0).astype(float)
        if 0 <= x < width and 0 <= y < height:
            seen = int(person.visible[rows].all())
            points.append({"x": x, "y": y, "id": number, "is_visible": seen})
    return points


def _single_people(entry):
    """uint8 numbers, from 1, of the people who stand apart from others: here, of all."""
    rects = entry["annorect"]
    return np.arange(1, 2 if isinstance(rects, dict) else len(rects) + 1, dtype=np.uint8)


def _structs(items):
    """A structured array with a row for each dict, which MATLAB files keep as a struct array."""
    if not items:
        return np.empty(0, object)
    array = np.empty(len(items), [(name, object) for name in items[0]])
    for number, item in enumerate(items):
        array[number] = tuple(item.values())
    return array
