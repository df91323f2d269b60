"""Turns one person into one training crop: scale, crop, mirror. Draws no random numbers itself.

Pictures are uint8 [H, W, 3] as decoded; points are in their pixels, x first.
"""

import numpy as np
import tensorflow as tf

from hmr_tf2.compiled import compiled
from tfrecords_tools import joints


def scaled_size(height: tf.Tensor, width: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Size (height, width) in whole pixels, at least 1: int32 [2], truncated like the original."""
    # In float32 like the original: float64 would truncate some products to another whole number.
    size = tf.cast(tf.stack([height, width]), tf.float32)
    return tf.maximum(tf.cast(size * scale, tf.int32), 1)


def source_window(
    size: tf.Tensor, new_size: tf.Tensor, start: tf.Tensor, img_size: int
) -> tf.Tensor:
    """The part of the picture that `crop_scaled` reads: int32 [4], top, left, height, width.

    Only this part of a JPEG need be decoded, which is most of the time that an example takes.

    Args:
        size: int32 [2], height and width of the picture.
        new_size: int32 [2], height and width to resize to.
        start: int32 [2], x and y of the crop's corner in the resized picture.
        img_size: side of the crop.
    """
    # A crop may lie far outside, if its record is damaged; the sum below must not overflow.
    corner = tf.clip_by_value(start[::-1], -img_size, new_size)
    ratio = tf.cast(size, tf.float32) / tf.cast(new_size, tf.float32)
    # Padding repeats the border, so samples outside read the border pixels.
    inside = tf.clip_by_value(tf.stack([corner, corner + img_size - 1]), 0, new_size - 1)
    first, last = tf.unstack(tf.cast(inside, tf.float32) * ratio)
    # Both neighbours of the first and of the last sample.
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
    """A square crop of the resized and edge-padded picture, of which only these pixels are made.

    KEEP: bilinear without half-pixel centres and without antialiasing, as TensorFlow 1's
    `resize_bilinear`. Every pixel equals that of resizing the whole, padding and cropping.

    Args:
        pixels: uint8 [h, w, 3], a part of the picture that contains all of `source_window`.
        window: int32 [2], top and left of this part in the picture.
        size: int32 [2], height and width of the picture.
        new_size: int32 [2], height and width to resize to.
        start: int32 [2], x and y of the crop's corner in the resized picture; may lie outside.
        img_size: side of the crop.
        mirror: bool [], whether to flip left to right.

    Returns:
        float32 [img_size, img_size, 3] in [-1, 1].
    """
    # One vector of numbers, since each argument of `numpy_function` costs a conversion.
    geometry = tf.concat(
        [window, size, new_size, start[::-1], [img_size], [tf.cast(mirror, tf.int32)]], axis=0
    )
    crop = tf.numpy_function(_crop_scaled, [pixels, geometry], tf.float32, stateful=False)
    return tf.ensure_shape(crop, [img_size, img_size, 3])


@compiled
def _crop_scaled(pixels, geometry):
    """`crop_scaled` of [top, left, height, width, new height, width, start y, x, side, mirror].

    It computes in float32 and in TensorFlow's order, so that nothing rounds differently.
    """
    top, left, height, width, new_height, new_width, start_y, start_x, side, mirror = geometry
    rows_held, columns_held = pixels.shape[:2]
    row_low, row_high, row_part = _sample_points(start_y, side, height, new_height, top, rows_held)
    low, high, part = _sample_points(start_x, side, width, new_width, left, columns_held)
    # Mirroring the columns of samples mirrors the crop, at no cost per pixel.
    if mirror:
        low, high, part = low[::-1].copy(), high[::-1].copy(), part[::-1].copy()
    # Rows are flat, with three numbers per pixel, so that the loops over them are long and simple
    # enough to become vector instructions.
    low, high, part = _channels(low), _channels(high), np.repeat(part, 3)
    pixels = pixels.reshape(rows_held, -1)
    unit = np.empty(pixels.shape[1], np.float32)
    crop = np.empty((side, 3 * side), np.float32)
    # Bilinear interpolation is separable: first along x, where each source row serves several rows
    # of the crop, then along y. The last two rows interpolated along x are held. Two neighbours in
    # y are equal or adjacent, so their lowest bits tell where each is held.
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
    """The two neighbours, and the weight of the second, of `side` samples along one axis.

    Neighbours are counted from `first` on, the first of the `count` pixels that were decoded, and
    never lie outside these, whatever a damaged record says.
    """
    # No half-pixel centres: pixel i of the resized picture samples i * ratio, so that the first
    # pixels of both coincide (TensorFlow 1's align_corners=False).
    ratio = np.float32(size) / np.float32(new_size)
    low = np.empty(side, np.int64)
    high = np.empty(side, np.int64)
    part = np.empty(side, np.float32)
    for i in range(side):
        source = np.float32(min(max(start + i, 0), new_size - 1)) * ratio
        # Compiled code does not check bounds: a wrong index would read foreign memory.
        low[i] = min(max(np.int64(source) - first, 0), count - 1)
        high[i] = min(max(min(np.int64(np.ceil(source)), size - 1) - first, 0), count - 1)
        part[i] = source - np.floor(source)
    return low, high, part


@compiled
def _channels(columns):
    """Indices of the three numbers of each pixel in a flat row."""
    # Unsigned, which saves numba's check for indices that count from the end.
    places = np.empty(3 * len(columns), np.uint32)
    for i in range(len(places)):
        places[i] = 3 * columns[i // 3] + i % 3
    return places


@compiled
def _interpolate(pixels, unit, low, high, part, row):
    """Fills `row` from the flat uint8 row `pixels`, which is first scaled to [0, 1] in `unit`."""
    # Scaled before it is interpolated, as in the original; the other order rounds differently.
    for i in range(len(pixels)):
        unit[i] = np.float32(pixels[i]) * np.float32(1.0 / 255.0)
    for i in range(len(row)):
        a = unit[low[i]]
        row[i] = a + (unit[high[i]] - a) * part[i]


def mirror_keypoints(keypoints: tf.Tensor, img_size: int) -> tf.Tensor:
    """Mirrors keypoints [19, 3] (x, y in pixels of the crop, visibility) and swaps the sides."""
    x, y, visible = tf.unstack(keypoints, axis=1)
    # Centres of pixels are whole numbers here: pixel 0 becomes pixel img_size - 1.
    mirrored = tf.stack([img_size - x - 1.0, y, visible], axis=1)
    return tf.gather(mirrored, joints.COCO_PLUS.flipped)


def mirror_pose(pose: tf.Tensor) -> tf.Tensor:
    """Mirrors an SMPL pose [72] left to right, including the root."""
    axis_angles = tf.gather(tf.reshape(pose, [24, 3]), joints.SMPL.flipped)
    # A rotation vector is an axial vector: mirroring in x keeps its x and flips its y and z, just
    # the other way round than for points.
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
