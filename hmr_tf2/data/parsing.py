"""A serialized Example to what the model trains on."""

import tensorflow as tf

from hmr_tf2.data import augmentation
from hmr_tf2.smpl.rotations import batch_rodrigues
from tfrecords_tools import records

NUM_LABELS_3D = 24 * 9 + records.SHAPE_SIZE + 14 * 3


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

    Source: akanazawa/hmr src/data_loader.py (image_preprocessing), src/util/data_utils.py.

    Args:
        serialized: string [], an Example of `tfrecords_tools.records`.
        has_3d: whether the record has the 3-D features.
        scale: float [], factor the picture is resized by.
        translation: int [2], shift of the crop's centre in x and y, pixels before the resize.
        mirror: bool (or 0, 1) [], flip left to right.
        img_size: side of the crop.

    Returns:
        `image` float32 [img_size, img_size, 3] in [-1, 1] and `label` [19, 3], x, y in [-1, 1] of
        the crop and visibility; with `has_3d` also `label3d` [268]: 216 rotation entries, 10
        betas, 42 joint coordinates in metres; and `has3d` bool [2]: joints, SMPL.
    """
    spec = records.image_3d_spec() if has_3d else records.image_spec()
    example = tf.io.parse_single_example(serialized, spec)
    mirror = tf.cast(mirror, tf.bool)
    image = tf.io.decode_jpeg(example["image/encoded"], channels=3)
    height, width = example["image/height"], example["image/width"]
    new_size = augmentation.scaled_size(height, width, tf.cast(scale, tf.float32))
    # Of height and width; whole pixels make it differ from `scale`.
    factor = tf.cast(new_size, tf.float32) / tf.cast(tf.stack([height, width]), tf.float32)
    factor_xy = factor[::-1]

    center = tf.cast(example["image/center"], tf.int32) + tf.cast(translation, tf.int32)
    center = tf.cast(tf.cast(center, tf.float32) * factor_xy, tf.int32)
    start = center - img_size // 2
    keypoints = _keypoints(example)
    keypoints = tf.concat(
        [keypoints[:, :2] * factor_xy - tf.cast(start, tf.float32), keypoints[:, 2:]], axis=1
    )
    keypoints = tf.where(mirror, augmentation.mirror_keypoints(keypoints, img_size), keypoints)
    result = {
        "image": augmentation.crop_scaled(image, new_size, start, img_size, mirror),
        "label": augmentation.normalise_keypoints(keypoints, img_size),
    }
    if has_3d:
        result["label3d"] = _label_3d(example, mirror)
        result["has3d"] = tf.stack([True, example["meta/has_3d"] > 0])
    return result


def _keypoints(example):
    """[19, 3]: x, y in pixels of the picture, visibility."""
    body = [example["image/x"], example["image/y"],
            tf.cast(example["image/visibility"], tf.float32)]
    face = tf.reshape(example["image/face_pts"], [3, records.NUM_FACE_POINTS])
    return tf.transpose(tf.concat([tf.stack(body), face], axis=1))


def _label_3d(example, mirror):
    pose = example["mosh/pose"]
    joints_3d = tf.reshape(example["mosh/gt3d"], [records.NUM_JOINTS, 3])
    pose = tf.where(mirror, augmentation.mirror_pose(pose), pose)
    joints_3d = tf.where(mirror, augmentation.mirror_joints_3d(joints_3d), joints_3d)
    rotations = batch_rodrigues(tf.reshape(pose, [24, 3]))
    return tf.concat(
        [tf.reshape(rotations, [-1]), example["mosh/shape"], tf.reshape(joints_3d, [-1])], axis=0
    )


def without_3d_labels(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Fills the 3-D labels that a record does not have, so that both kinds mix in a batch."""
    return {
        **example,
        "label3d": tf.zeros([NUM_LABELS_3D]),
        "has3d": tf.constant([False, False]),
    }
