"""Parses a serialized Example to what the model trains on."""

import math
from collections.abc import Mapping

import tensorflow as tf
from google.protobuf import message

from hmr_tf2.data import augmentation, labels
from tfrecords_tools import records

_LISTS = {tf.int64: "int64_list", tf.float32: "float_list", tf.string: "bytes_list"}
JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"


def preprocess_example(
    serialized: tf.Tensor,
    *,
    has_3d: bool,
    scale: tf.Tensor,
    translation: tf.Tensor,
    mirror: tf.Tensor,
    img_size: int = 224,
) -> dict[str, tf.Tensor]:
    """Parses one record and makes its training crop; draws no random numbers.

    It is for input pipelines: part of it is compiled Python, which an exported graph cannot hold.

    Source: akanazawa/hmr src/data_loader.py (image_preprocessing), src/util/data_utils.py.

    Args:
        serialized: string [], an Example of `tfrecords_tools.records`.
        has_3d: whether the record has the 3-D features.
        scale: float [], factor by which the picture is resized.
        translation: int [2], shift of the crop's centre in x and y, in pixels before resizing.
        mirror: bool (or 0, 1) [], whether to flip left to right.
        img_size: side of the crop.

    Returns:
        `image` float32 [img_size, img_size, 3] in [-1, 1], and `label` [19, 3]: x, y in [-1, 1] of
        the crop and visibility. With `has_3d` also `label3d` [268]: 216 rotation entries, 10
        betas, 42 joint coordinates in metres; and `has3d` bool [2]: has joints, has SMPL.
    """
    spec = records.image_3d_spec() if has_3d else records.image_spec()
    example = tf.io.parse_single_example(serialized, spec)
    mirror = tf.cast(mirror, tf.bool)
    height, width = example["image/height"], example["image/width"]
    new_size = augmentation.scaled_size(height, width, tf.cast(scale, tf.float32))
    # Of height and width. It differs from `scale`, since sizes are whole pixels; keypoints must
    # follow what was done to the pixels.
    factor = tf.cast(new_size, tf.float32) / tf.cast(tf.stack([height, width]), tf.float32)
    factor_xy = factor[::-1]

    # Truncated at the same places as in the original, so that crops are equal to the pixel.
    center = tf.cast(example["image/center"], tf.int32) + tf.cast(translation, tf.int32)
    center = tf.cast(tf.cast(center, tf.float32) * factor_xy, tf.int32)
    start = center - img_size // 2
    keypoints = _keypoints(example)
    keypoints = tf.concat(
        [keypoints[:, :2] * factor_xy - tf.cast(start, tf.float32), keypoints[:, 2:]], axis=1
    )
    keypoints = tf.where(mirror, augmentation.mirror_keypoints(keypoints, img_size), keypoints)
    result = {
        "image": _crop(example["image/encoded"], new_size, start, img_size, mirror),
        "label": augmentation.normalise_keypoints(keypoints, img_size),
    }
    if has_3d:
        result["label3d"] = _label_3d(example, mirror)
        result["has3d"] = tf.stack([True, example["meta/has_3d"] > 0])
    return result


def _crop(encoded, new_size, start, img_size, mirror):
    """Decodes the part of the picture that the crop needs, and crops it."""

    def part():
        size = tf.io.extract_jpeg_shape(encoded)[:2]
        window = augmentation.source_window(size, new_size, start, img_size)
        # The rows of a decoded part equal those of the whole. In its first and last column the
        # chroma may differ, as it is interpolated from both sides, hence one more column there.
        left = tf.maximum(window[1] - 1, 0)
        right = tf.minimum(window[1] + window[3] + 1, size[1])
        window = tf.stack([window[0], left, window[2], right - left])
        return tf.io.decode_and_crop_jpeg(encoded, window, channels=3), window[:2], size

    def whole():
        pixels = tf.io.decode_jpeg(encoded, channels=3)
        return pixels, tf.zeros([2], tf.int32), tf.shape(pixels)[:2]

    # Of a truncated JPEG a part may decode although the whole does not; it must not go unnoticed.
    # So one that lacks its markers is decoded as a whole, which raises the error.
    starts = tf.strings.substr(encoded, 0, 2) == JPEG_START
    ends = tf.strings.substr(encoded, -2, 2) == JPEG_END
    pixels, window, size = tf.cond(starts & ends, part, whole)
    return augmentation.crop_scaled(pixels, window, size, new_size, start, img_size, mirror)


def _keypoints(example):
    """[19, 3]: x, y in pixels of the picture, visibility."""
    body = [
        example["image/x"],
        example["image/y"],
        tf.cast(example["image/visibility"], tf.float32),
    ]
    face = tf.reshape(example["image/face_pts"], [3, records.NUM_FACE_POINTS])
    return tf.transpose(tf.concat([tf.stack(body), face], axis=1))


def _label_3d(example, mirror):
    # Scale and translation move the crop, not the body in front of the camera: of the augmentation
    # only the mirror changes the 3-D labels.
    pose = example["mosh/pose"]
    joints_3d = tf.reshape(example["mosh/gt3d"], [records.NUM_JOINTS, 3])
    pose = tf.where(mirror, augmentation.mirror_pose(pose), pose)
    joints_3d = tf.where(mirror, augmentation.mirror_joints_3d(joints_3d), joints_3d)
    return labels.label_3d(pose, example["mosh/shape"], joints_3d)


def fault_of(
    serialized: bytes, spec: Mapping[str, tf.io.FixedLenFeature], decode: bool
) -> str | None:
    """What keeps a record from being used, as the end of a sentence; None for a whole one.

    Args:
        serialized: an Example.
        spec: the features that it must have.
        decode: whether to decode its picture, too, which takes longer than everything else.
    """
    try:
        features = tf.train.Example.FromString(serialized).features.feature
    except message.DecodeError:
        return "it is not a tf.train.Example"
    for name, wanted in spec.items():
        if name not in features:
            if wanted.default_value is None:
                return f"it lacks {name}"
            continue
        values = getattr(features[name], _LISTS[wanted.dtype]).value
        size = math.prod(wanted.shape)
        if len(values) != size:
            return f"{name} holds {len(values)} values of {wanted.dtype.name}, expected {size}"
    if decode and "image/encoded" in spec:
        try:
            tf.io.decode_jpeg(features["image/encoded"].bytes_list.value[0], channels=3)
        except tf.errors.InvalidArgumentError:
            return "its picture cannot be decoded"
    return None
