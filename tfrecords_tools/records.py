"""The record schema: how an Example is built, and the feature spec that reads it back.

It equals the schema of akanazawa/hmr (src/datasets/common.py) feature by feature, so that files
made by its converters can be read here, and ours there.
"""

import os

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfrecords_tools import joints

NUM_JOINTS = len(joints.LSP)
NUM_FACE_POINTS = len(joints.FACE)
POSE_SIZE = 72
SHAPE_SIZE = 10

# What pose and shape hold in a record without SMPL labels.
NO_SMPL = -1.0


def image_example(
    *,
    encoded: bytes,
    filename: str,
    height: int,
    width: int,
    keypoints: np.ndarray,
    center: npt.ArrayLike,
) -> bytes:
    """A serialized Example of one person in one picture.

    Args:
        encoded: the picture as JPEG.
        filename: the file the picture came from; its last component is stored.
        height: the picture's height in pixels.
        width: the picture's width in pixels.
        keypoints: [14, 3] in the order `joints.LSP` or [19, 3] in `joints.COCO_PLUS`; x, y in
            pixels of the picture, visibility. The face points are stored apart.
        center: x, y of the person's centre in pixels, truncated to whole ones.
    """
    return _serialize(_image_features(encoded, filename, height, width, keypoints, center))


def image_3d_example(
    *,
    encoded: bytes,
    filename: str,
    height: int,
    width: int,
    keypoints: np.ndarray,
    center: npt.ArrayLike,
    joints_m: np.ndarray,
    camera: npt.ArrayLike,
    scale_factors: npt.ArrayLike,
    crop_start: npt.ArrayLike,
    pose: np.ndarray | None = None,
    shape: np.ndarray | None = None,
    activity: int | None = None,
) -> bytes:
    """A serialized Example of one person with 3-D joints, and SMPL labels where there are any.

    Args:
        encoded, filename, height, width, keypoints, center: as for `image_example`.
        joints_m: [14, 3] in the order `joints.LSP`, metres, camera frame.
        camera: focal length and principal point x, y in pixels of the stored picture.
        scale_factors: factors of height and width from the source picture to the stored one.
        crop_start: x, y of the stored picture's corner in the resized one, in pixels.
        pose: [72] axis-angle pose, or None without SMPL labels.
        shape: [10] shape coefficients, or None without SMPL labels.
        activity: number of the activity, in the test set of MPI-INF-3DHP; not stored elsewhere.
    """
    if (pose is None) != (shape is None):
        raise ValueError(f"{filename}: SMPL labels need both a pose and a shape; one is missing.")
    features = _image_features(encoded, filename, height, width, keypoints, center)
    features |= {
        "mosh/pose": _floats(_or_no_smpl(pose, POSE_SIZE), POSE_SIZE),
        "mosh/shape": _floats(_or_no_smpl(shape, SHAPE_SIZE), SHAPE_SIZE),
        "mosh/gt3d": _floats(joints_m, 3 * NUM_JOINTS),
        "meta/has_3d": _ints([int(pose is not None)]),
        "meta/scale_factors": _floats(scale_factors, 2),
        "meta/crop_pt": _ints(crop_start),
        "image/cam": _floats(camera, 3),
    }
    if activity is not None:
        features["meta/activity"] = _ints([activity])
    return _serialize(features)


def mocap_example(pose: np.ndarray, shape: np.ndarray) -> bytes:
    """A serialized Example of one pose [72] and one shape [10] of the motion capture prior."""
    return _serialize({"pose": _floats(pose, POSE_SIZE), "shape": _floats(shape, SHAPE_SIZE)})


def image_spec() -> dict[str, tf.io.FixedLenFeature]:
    """Reads `image_example`; records without face points get zeros, that is invisible ones."""
    return {
        "image/height": tf.io.FixedLenFeature([], tf.int64),
        "image/width": tf.io.FixedLenFeature([], tf.int64),
        "image/center": tf.io.FixedLenFeature([2], tf.int64),
        "image/x": tf.io.FixedLenFeature([NUM_JOINTS], tf.float32),
        "image/y": tf.io.FixedLenFeature([NUM_JOINTS], tf.float32),
        "image/visibility": tf.io.FixedLenFeature([NUM_JOINTS], tf.int64),
        "image/face_pts": tf.io.FixedLenFeature(
            [3 * NUM_FACE_POINTS], tf.float32, default_value=[0.0] * (3 * NUM_FACE_POINTS)
        ),
        "image/format": tf.io.FixedLenFeature([], tf.string, default_value="JPEG"),
        "image/filename": tf.io.FixedLenFeature([], tf.string),
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
    }


def image_3d_spec() -> dict[str, tf.io.FixedLenFeature]:
    """Reads `image_3d_example`; records without an activity get 0."""
    return image_spec() | {
        "mosh/pose": tf.io.FixedLenFeature([POSE_SIZE], tf.float32),
        "mosh/shape": tf.io.FixedLenFeature([SHAPE_SIZE], tf.float32),
        "mosh/gt3d": tf.io.FixedLenFeature([3 * NUM_JOINTS], tf.float32),
        "meta/has_3d": tf.io.FixedLenFeature([], tf.int64),
        "meta/scale_factors": tf.io.FixedLenFeature([2], tf.float32),
        "meta/crop_pt": tf.io.FixedLenFeature([2], tf.int64),
        "image/cam": tf.io.FixedLenFeature([3], tf.float32),
        "meta/activity": tf.io.FixedLenFeature([], tf.int64, default_value=0),
    }


def mocap_spec() -> dict[str, tf.io.FixedLenFeature]:
    """Reads `mocap_example`."""
    return {
        "pose": tf.io.FixedLenFeature([POSE_SIZE], tf.float32),
        "shape": tf.io.FixedLenFeature([SHAPE_SIZE], tf.float32),
    }


def _image_features(
    encoded: bytes,
    filename: str,
    height: int,
    width: int,
    keypoints: np.ndarray,
    center: npt.ArrayLike,
) -> dict[str, tf.train.Feature]:
    keypoints = np.asarray(keypoints)
    allowed = ((NUM_JOINTS, 3), (NUM_JOINTS + NUM_FACE_POINTS, 3))
    if keypoints.shape not in allowed:
        raise ValueError(
            f"{filename}: keypoints must be [14, 3] or [19, 3], got {list(keypoints.shape)}."
        )
    x, y, visibility = keypoints[:NUM_JOINTS].T
    features = {
        "image/height": _ints([height]),
        "image/width": _ints([width]),
        "image/center": _ints(center),
        "image/x": _floats(x, NUM_JOINTS),
        "image/y": _floats(y, NUM_JOINTS),
        "image/visibility": _ints(visibility),
        "image/format": _bytes(b"JPEG"),
        "image/filename": _bytes(os.path.basename(filename).encode()),
        "image/encoded": _bytes(encoded),
    }
    if len(keypoints) > NUM_JOINTS:
        face = keypoints[NUM_JOINTS:].T  # the five x, then the five y, then their visibility
        features["image/face_pts"] = _floats(face, 3 * NUM_FACE_POINTS)
    return features


def _or_no_smpl(values: np.ndarray | None, size: int) -> np.ndarray:
    return np.full(size, NO_SMPL) if values is None else values


def _serialize(features: dict) -> bytes:
    example = tf.train.Example(features=tf.train.Features(feature=features))
    # Map entries have no order of their own, and equal input must give equal bytes.
    return example.SerializeToString(deterministic=True)


def _floats(values: npt.ArrayLike, size: int) -> tf.train.Feature:
    values = np.asarray(values, np.float64).ravel()
    if values.size != size:
        raise ValueError(f"Expected {size} values, got {values.size}.")
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def _ints(values: npt.ArrayLike) -> tf.train.Feature:
    # astype truncates towards zero, as the original does with the centre.
    values = np.asarray(values).astype(np.int64)
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
