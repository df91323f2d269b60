"""Compares an export with the Keras model and with the demo's crops."""

import io
import os

import numpy as np
import tensorflow as tf
from PIL import Image

from hmr_tf2 import crops
from hmr_tf2.hmr import HMR
from hmr_tf2.theta import decode_theta, pose_to_rotations, split_theta

# Float32 rounding between Keras' graph and the exported one: millionths of the values (metres,
# pixels up to 224).
TOLERANCE = 1e-4
# With 8 bits of mantissa through up to 50 layers, this detects a wrong network, not one that is
# slightly worse.
BFLOAT16_TOLERANCE = 0.1
PICTURE_SIZE = (180, 240)
BOX = (60.0, 20.0, 80.0, 150.0)


def check_export(model: HMR, folder: str | os.PathLike, tolerance: float = TOLERANCE) -> None:
    """Loads the folder again and compares all outputs of all signatures with the model's.

    Args:
        model: the model that was exported.
        folder: the version's folder.
        tolerance: how far an output may differ, as a share of its largest value, or of 1 if that
            is larger.

    Raises:
        ValueError: an output differs; the message says which one and by how much.
    """
    signatures = tf.saved_model.load(str(folder)).signatures
    size = model.config.img_size
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (*PICTURE_SIZE, 3), np.uint8)
    noise = rng.uniform(-1, 1, (3, size, size, 3)).astype(np.float32)
    _check_crops(model, signatures, noise, tolerance)
    _check_picture(model, signatures, picture, tolerance)
    _check_mesh(model, signatures)


def _check_crops(model, signatures, images, tolerance):
    got = signatures["predict_crops"](images=tf.constant(images))
    _compare("predict_crops", got, model, images, tolerance)


def _check_picture(model, signatures, picture, tolerance):
    """`picture` with and without a box, each beside a broken one."""
    size = model.config.img_size
    image_bytes = tf.constant([_as_png(picture), b"broken"])
    boxes = tf.constant([BOX, BOX])
    for name, crop, arguments in (
        ("serving_default", crops.crop_whole_picture(picture, size), {}),
        ("predict_boxes", crops.crop_box(picture, np.array(BOX), size), {"boxes": boxes}),
    ):
        got = signatures[name](image_bytes=image_bytes, **arguments)
        if any(np.any(value[1]) for value in got.values()):
            raise ValueError(f"{name} does not answer a broken picture with zeros.")
        first = {key: value[:1] for key, value in got.items()}
        _compare(name, first, model, crop.image[np.newaxis], tolerance, crop.to_picture)


def _check_mesh(model, signatures):
    has_vertices = "verts" in signatures["predict_crops"].structured_outputs
    faces = model.smpl.faces if has_vertices else model.smpl.faces[:0]
    _compare_values(
        "mesh",
        signatures["mesh"](rows=tf.zeros([2])),
        {"faces": np.stack([faces] * 2), "img_size": np.full(2, model.config.img_size)},
        tolerance=0.0,
    )


def _compare(signature, got, model, images, tolerance, to_picture=lambda joints: joints):
    """Compares theta with the model's, and the rest with the body of the exported theta.

    Before training a pose may be many full turns, and then a rounding of theta moves a hand.
    """
    theta = got["theta"]
    expected = {
        **decode_theta(model.smpl, theta, model.config.img_size),
        "theta": model.predict_on_batch(images)["theta"],
        "rotations": pose_to_rotations(split_theta(theta).pose),
        "valid": np.ones(len(images)),
    }
    expected = {name: np.asarray(value) for name, value in expected.items()}
    expected["joints"] = to_picture(expected["joints"])
    _compare_values(signature, got, expected, tolerance)


def _compare_values(signature, got, expected, tolerance):
    missing = set(expected) - set(got) - {"verts"}
    if missing or set(got) - set(expected):
        raise ValueError(
            f"The exported {signature} has the outputs {', '.join(sorted(got))}; expected "
            f"{', '.join(sorted(expected))}."
        )
    for name, value in got.items():
        error = float(np.max(np.abs(np.float32(value) - expected[name]), initial=0.0))
        largest = float(np.max(np.abs(expected[name]), initial=1.0))
        if value.shape != expected[name].shape or not error <= tolerance * largest:
            raise ValueError(
                f"The exported {name} of {signature} differs from the Keras model's by "
                f"{error:g}; nothing was written."
            )


def _as_png(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()
