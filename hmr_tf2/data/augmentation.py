"""One person to one training crop: scale, crop, mirror. Draws no random numbers itself.

Pictures are uint8 [H, W, 3] as decoded; points are pixels of them, x first.
"""

import numpy as np
import tensorflow as tf

from hmr_tf2.compiled import compiled
from tfrecords_tools import joints


def scaled_size(height: tf.Tensor, width: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Size (height, width) in whole pixels, int32 [2], truncated as the original does."""
    size = tf.cast(tf.stack([height, width]), tf.float32)
    return tf.cast(size * scale, tf.int32)


def source_window(
    size: tf.Tensor, new_size: tf.Tensor, start: tf.Tensor, img_size: int
) -> tf.Tensor:
    """What `crop_scaled` reads of the picture: int32 [4], top, left, height, width.

    Args:
        size: int32 [2], height and width of the picture.
        new_size: int32 [2], height and width to resize to.
        start: int32 [2], x and y of the crop's corner in the resized picture.
        img_size: side of the crop.
    """
    corner = start[::-1]
    ratio = tf.cast(size, tf.float32) / tf.cast(new_size, tf.float32)
    inside = tf.clip_by_value(tf.stack([corner, corner + img_size - 1]), 0, new_size - 1)
    first, last = tf.unstack(tf.cast(inside, tf.float32) * ratio)
    low = tf.cast(first, tf.int32)
    high = tf.minimum(tf.cast(tf.math.ceil(last), tf.int32), size - 1)
    return tf.concat([low, high - low + 1], axis=0)


def crop_scaled(
    pixels: tf.Tensor,
    window: tf.Tensor,
    size: tf.Tensor,
    new_size: tf.Tensor,
    start: tf.Tensor,
    img_size: int,
    mirror: tf.Tensor,
) -> tf.Tensor:
    """A square crop of the resized and edge-padded picture, computing only its own pixels.

    KEEP: bilinear without half-pixel centres and without antialiasing, TensorFlow 1's
    `resize_bilinear`; every pixel equals that of resizing all, padding and cropping.

    Args:
        pixels: uint8 [h, w, 3], a part of the picture that has all of `source_window`.
        window: int32 [2], top and left of this part in the picture.
        size: int32 [2], height and width of the picture.
        new_size: int32 [2], height and width to resize to.
        start: int32 [2], x and y of the crop's corner in the resized picture; may lie outside.
        img_size: side of the crop.
        mirror: bool [], flip left to right.

    Returns:
        float32 [img_size, img_size, 3] in [-1, 1].
    """
    geometry = tf.concat(
        [window, size, new_size, start[::-1], [img_size], [tf.cast(mirror, tf.int32)]], axis=0
    )
    crop = tf.numpy_function(_crop_scaled, [pixels, geometry], tf.float32, stateful=False)
    return tf.ensure_shape(crop, [img_size, img_size, 3])


@compiled
def _crop_scaled(pixels, geometry):
    """`crop_scaled` of [top, left, height, width, new height, width, start y, x, side, mirror].

    float32 throughout and in TensorFlow's order, so that nothing rounds differently.
    """
    top, left, height, width, new_height, new_width, start_y, start_x, side, mirror = geometry
    row_low, row_high, row_part = _sample_points(start_y, side, height, new_height)
    low, high, part = _sample_points(start_x, side, width, new_width)
    if mirror:
        low, high, part = low[::-1], high[::-1], part[::-1]
    crop = np.empty((side, side, 3), np.float32)
    # The rows last interpolated in x: neighbours in y differ in the lowest bit or are equal.
    rows = np.empty((2, side, 3), np.float32)
    held = np.full(2, -1)
    for y in range(side):
        for row in (row_low[y], row_high[y]):
            if held[row & 1] != row:
                held[row & 1] = row
                _interpolate_row(pixels[row - top], low - left, high - left, part, rows[row & 1])
        above, below = rows[row_low[y] & 1].ravel(), rows[row_high[y] & 1].ravel()
        target = crop[y].reshape(3 * side)
        for i in range(3 * side):
            value = above[i] + (below[i] - above[i]) * row_part[y]
            target[i] = (value - np.float32(0.5)) * np.float32(2.0)
    return crop


@compiled
def _sample_points(start, side, size, new_size):
    """Neighbours and weight along one axis for `side` pixels of the resized picture."""
    ratio = np.float32(size) / np.float32(new_size)
    low = np.empty(side, np.int64)
    high = np.empty(side, np.int64)
    part = np.empty(side, np.float32)
    for i in range(side):
        source = np.float32(min(max(start + i, 0), new_size - 1)) * ratio
        low[i] = np.int64(source)
        high[i] = min(np.int64(np.ceil(source)), size - 1)
        part[i] = source - np.floor(source)
    return low, high, part


@compiled
def _interpolate_row(pixels, low, high, part, row):
    """Fills `row` [side, 3] from `pixels` uint8 [w, 3], which it takes to [0, 1]."""
    unit = np.float32(1.0 / 255.0)
    for x in range(len(low)):
        for channel in range(3):
            a = np.float32(pixels[low[x], channel]) * unit
            b = np.float32(pixels[high[x], channel]) * unit
            row[x, channel] = a + (b - a) * part[x]


def mirror_keypoints(keypoints: tf.Tensor, img_size: int) -> tf.Tensor:
    """Mirrors [19, 3] keypoints (x, y in pixels of the crop, visibility) and swaps the sides."""
    x, y, visible = tf.unstack(keypoints, axis=1)
    mirrored = tf.stack([img_size - x - 1.0, y, visible], axis=1)
    return tf.gather(mirrored, joints.COCO_PLUS.flipped)


def mirror_pose(pose: tf.Tensor) -> tf.Tensor:
    """Mirrors an SMPL pose [72] left to right, root included."""
    axis_angles = tf.gather(tf.reshape(pose, [24, 3]), joints.SMPL.flipped)
    return tf.reshape(axis_angles * [1.0, -1.0, -1.0], [72])


def mirror_joints_3d(joints_3d: tf.Tensor) -> tf.Tensor:
    """Mirrors [14, 3] joints in x, swaps the sides and (KEEP) centres them on their mean."""
    mirrored = tf.gather(joints_3d * [-1.0, 1.0, 1.0], joints.LSP.flipped)
    return mirrored - tf.reduce_mean(mirrored, axis=0)


def normalise_keypoints(keypoints: tf.Tensor, img_size: int) -> tf.Tensor:
    """Pixels of the crop to [-1, 1], visibility to 0 or 1, invisible points to zero: [19, 3]."""
    visible = tf.cast(keypoints[:, 2:] > 0, tf.float32)
    xy = 2.0 * (keypoints[:, :2] / img_size) - 1.0
    return visible * tf.concat([xy, visible], axis=1)
