"""Tells which kind of record an Example is, and whether its values are plausible."""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfrecords_tools import images, records

# Kind of Example -> the spec that reads it.
SPECS = {
    "image": records.image_spec,
    "image_3d": records.image_3d_spec,
    "mocap": records.mocap_spec,
}

# Values beyond these are damage: no joint is as far from the camera, no axis-angle (radians) as
# long, no shape coefficient (standard deviations) as large.
MAX_JOINT_M = 100.0
MAX_POSE = 100.0
MAX_SHAPE = 100.0

# Start-of-frame markers of JPEG (ITU-T T.81, table B.1): C0 to CF without the three that mean
# something else (C4 Huffman tables, C8 reserved, CC arithmetic coding).
_FRAME_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def schema_of(serialized: bytes) -> str:
    """The kind of an Example, judged by its features: a key of `SPECS`."""
    names = tf.train.Example.FromString(serialized).features.feature
    if "image/encoded" not in names:
        return "mocap"
    return "image_3d" if "mosh/gt3d" in names else "image"


def faults(serialized: Sequence[bytes], schema: str) -> Iterator[tuple[int, str, str]]:
    """Yields (number in the batch, feature, what is wrong) for a batch of Examples."""
    spec = SPECS[schema]()
    try:
        parsed = tf.io.parse_example(serialized, spec)
        numbers = list(range(len(serialized)))
    except tf.errors.InvalidArgumentError:
        numbers = []
        for number, one in enumerate(serialized):
            try:
                tf.io.parse_single_example(one, spec)
                numbers.append(number)
            except tf.errors.InvalidArgumentError as error:
                yield number, *_named(error.message)
        if not numbers:
            return
        parsed = tf.io.parse_example([serialized[number] for number in numbers], spec)
    values = {name: value.numpy() for name, value in parsed.items()}
    for feature, what, wrong in _value_faults(values, schema):
        for row in np.flatnonzero(wrong):
            yield numbers[row], feature, f"{what}, got {_shown(values[feature][row])}"


def _named(message: str) -> tuple[str, str]:
    found = re.search(r"(?:Feature|Key): ([\w/]+)", message)
    what = "missing" if "could not be found" in message else "wrong type or length"
    return (found.group(1), what) if found else ("Example", "cannot be parsed")


def _value_faults(
    values: Mapping[str, np.ndarray], schema: str
) -> Iterator[tuple[str, str, np.ndarray]]:
    if schema == "mocap":
        yield "pose", _within(MAX_POSE, "radians"), _beyond(values["pose"], MAX_POSE)
        yield "shape", _within(MAX_SHAPE), _beyond(values["shape"], MAX_SHAPE)
        return
    yield from _image_faults(values)
    if schema == "image_3d":
        yield from _image_3d_faults(values)


def _image_faults(values):
    px = images.MAX_COORDINATE_PX
    for name in ("image/x", "image/y", "image/face_pts", "image/center"):
        yield name, _within(px, "pixels"), _beyond(values[name], px)
    visibility = values["image/visibility"]
    yield "image/visibility", "expected 0, 1 or 2", ~np.isin(visibility, (0, 1, 2)).all(axis=1)
    yield "image/format", "expected JPEG", values["image/format"] != b"JPEG"
    sizes = np.array([jpeg_size(data) or (-1, -1) for data in values["image/encoded"]])
    yield "image/encoded", "expected a JPEG file", sizes[:, 0] < 0
    for name, size in (("image/height", sizes[:, 0]), ("image/width", sizes[:, 1])):
        yield name, "expected that of the JPEG", (size >= 0) & (values[name] != size)


def _image_3d_faults(values):
    has_smpl = values["meta/has_3d"]
    without = has_smpl == 0
    yield "meta/has_3d", "expected 0 or 1", ~np.isin(has_smpl, (0, 1))
    yield "mosh/pose", _within(MAX_POSE, "radians"), _beyond(values["mosh/pose"], MAX_POSE)
    yield "mosh/shape", _within(MAX_SHAPE), _beyond(values["mosh/shape"], MAX_SHAPE)
    for name in ("mosh/pose", "mosh/shape"):
        differs = (values[name] != records.NO_SMPL).any(axis=1)
        yield name, "expected only -1, because meta/has_3d is 0", without & differs
    yield "mosh/gt3d", _within(MAX_JOINT_M, "metres"), _beyond(values["mosh/gt3d"], MAX_JOINT_M)
    cam = values["image/cam"]
    yield "image/cam", "expected finite numbers", ~np.isfinite(cam).all(axis=1)
    yield "image/cam", "expected a positive focal length", ~(cam[:, 0] > 0)
    scale = values["meta/scale_factors"]
    is_factor = (scale > 0) & np.isfinite(scale)
    yield "meta/scale_factors", "expected positive, finite numbers", ~is_factor.all(axis=1)


def _within(limit: float, unit: str = "") -> str:
    return f"expected numbers from {-limit:.0f} to {limit:.0f} {unit}".rstrip()


def _beyond(values: np.ndarray, limit: float) -> np.ndarray:
    """Rows with a number that is NaN, infinite or beyond `limit`."""
    return ~(np.abs(values.reshape(len(values), -1)) <= limit).all(axis=1)


def _shown(value: bytes | np.ndarray) -> str:
    if isinstance(value, bytes):
        return f"{value[:16]!r}"
    return np.array2string(np.asarray(value), threshold=6, edgeitems=3, precision=4)


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """The height and width in the header of a JPEG; None if `data` is not a JPEG."""
    if data[:2] != b"\xff\xd8":
        return None
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        if marker in _FRAME_MARKERS:
            return struct.unpack_from(">HH", data, position + 5)
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    return None
