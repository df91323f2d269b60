"""One person to one training crop: scale, crop, mirror. Draws no random numbers itself.

Pictures are uint8 [H, W, 3] as decoded; points are pixels of them, x first.
"""

import numpy as np
import tensorflow as tf

from hmr_tf2.compiled import compiled
from tfrecords_tools import joints


def scaled_size(height: tf.Tensor, width: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Size (height, width) in whole pixels, at least 1: int32 [2], cut as in the original."""
    size = tf.cast(tf.stack([height, width]), tf.float32)
    return tf.maximum(tf.cast(size * scale, tf.int32), 1)


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
    corner = tf.clip_by_value(start[::-1], -img_size, new_size)
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
    """`crop_scaled`, as [top, left, height, width, new height, width, start y, x, side, mirror].

    float32 throughout and in TensorFlow's order, so that nothing rounds differently. Rows are
    flat, three numbers a pixel, so that their loops become vector instructions.
    """
    top, left, height, width, new_height, new_width, start_y, start_x, side, mirror = geometry
    rows_held, columns_held = pixels.shape[:2]
    row_low, row_high, row_part = _sample_points(start_y, side, height, new_height, top, rows_held)
    low, high, part = _sample_points(start_x, side, width, new_width, left, columns_held)
    if mirror:
        low, high, part = low[::-1].copy(), high[::-1].copy(), part[::-1].copy()
    low, high, part = _channels(low), _channels(high), np.repeat(part, 3)
    pixels = pixels.reshape(rows_held, -1)
    unit = np.empty(pixels.shape[1], np.float32)
    crop = np.empty((side, 3 * side), np.float32)
    # The rows last interpolated in x: neighbours in y differ in the lowest bit or are equal.
    rows = np.empty((2, 3 * side), np.float32)
    held = np.full(2, -1)
    for y in range(side):
        for row in (row_low[y], row_high[y]):
            if held[row & 1] != row:
                held[row & 1] = row
                _interpolate(pixels[row], unit, low, high, part, rows[row & 1])
        above, below, target = rows[row_low[y] & 1], rows[row_high[y] & 1], crop[y]
        for i in range(3 * side):
            value = above[i] + (below[i] - above[i]) * row_part[y]
            target[i] = (value - np.float32(0.5)) * np.float32(2.0)
    return crop.reshape(side, side, 3)


@compiled
def _sample_points(start, side, size, new_size, first, count):
    """Neighbours and weight along one axis for `side` pixels of the resized picture.

    Neighbours are numbered from `first` on, the first of `count` pixels that are at hand, and
    never lie outside of these, whatever a damaged record says.
    """
    ratio = np.float32(size) / np.float32(new_size)
    low = np.empty(side, np.int64)
    high = np.empty(side, np.int64)
    part = np.empty(side, np.float32)
    for i in range(side):
        source = np.float32(min(max(start + i, 0), new_size - 1)) * ratio
        low[i] = min(max(np.int64(source) - first, 0), count - 1)
        high[i] = min(max(min(np.int64(np.ceil(source)), size - 1) - first, 0), count - 1)
        part[i] = source - np.floor(source)
    return low, high, part


@compiled
def _channels(columns):
    """Where the three numbers of each pixel stand in a flat row; unsigned, to save a check."""
    places = np.empty(3 * len(columns), np.uint32)
    for i in range(len(places)):
        places[i] = 3 * columns[i // 3] + i % 3
    return places


@compiled
def _interpolate(pixels, unit, low, high, part, row):
    """Fills `row` from the flat row `pixels`, uint8, which goes to [0, 1] in `unit` first."""
    for i in range(len(pixels)):
        unit[i] = np.float32(pixels[i]) * np.float32(1.0 / 255.0)
    for i in range(len(row)):
        a = unit[low[i]]
        row[i] = a + (unit[high[i]] - a) * part[i]


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
