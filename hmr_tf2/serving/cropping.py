"""The demo's crops in the graph: `crops.crop_whole_picture` and `crop_box`, pixel for pixel.

Neither the resized picture is made nor the upright one: their pixels are computed only where the
crop needs them. All coordinates are those of the upright picture.
"""

from typing import NamedTuple

import tensorflow as tf

from hmr_tf2.crops import MAX_RESIZED_PX, PERSON_DIAGONAL_PX
from hmr_tf2.serving.orientation import upright_pixels, upright_size

# OpenCV blends 8-bit pixels by weights of 11 bits.
WEIGHT_ONE = 2**11


class Crop(NamedTuple):
    """A square cut from a resized and edge-padded picture; the fields are those of `crops.Crop`.

    `pixels` uint8 [S, S, 3]; `scale` and `start` float64 [2].
    """

    pixels: tf.Tensor
    scale: tf.Tensor
    start: tf.Tensor


def crop_whole_picture(
    picture: tf.Tensor, img_size: int, orientation: tf.Tensor | int = 1
) -> Crop:
    """The crop of `crops.crop_whole_picture`.

    Args:
        picture: RGB uint8 [H, W, 3], as it is stored.
        img_size: side S of the crop.
        orientation: int64 [], as EXIF has it.
    """
    size = _size_of(picture, orientation)
    scale = tf.constant(img_size, tf.float64) / tf.reduce_max(size)
    return _scale_and_crop(picture, orientation, scale, tf.round(size / 2.0), img_size)


def crop_box(
    picture: tf.Tensor, box: tf.Tensor, img_size: int, orientation: tf.Tensor | int = 1
) -> Crop:
    """The crop of `crops.crop_box`.

    Args:
        picture: RGB uint8 [H, W, 3], as it is stored.
        box: float [4], x, y, width, height in pixels of the upright picture.
        img_size: side S of the crop.
        orientation: int64 [], as EXIF has it.

    Raises:
        tf.errors.InvalidArgumentError: the box is empty, not finite or outside the picture.
    """
    corner, sides = tf.split(tf.cast(box, tf.float64), 2)
    diagonal = tf.sqrt(tf.reduce_sum(sides**2))
    usable = (
        tf.reduce_all(tf.math.is_finite(box))
        & tf.reduce_all(sides > 0)
        & (diagonal >= 1.0)
        & tf.reduce_all((corner < _size_of(picture, orientation)) & (corner + sides > 0))
    )
    with tf.control_dependencies([tf.debugging.Assert(usable, ["unusable box", box])]):
        scale = PERSON_DIAGONAL_PX / diagonal
    return _scale_and_crop(picture, orientation, scale, corner + sides / 2.0, img_size)


def _scale_and_crop(picture, orientation, scale, center, img_size) -> Crop:
    """`crops.scale_and_crop`: the same float64 operations in the same order."""
    limit = _size_of(picture, orientation)
    # As there, only the part around the crop is resized if the whole would become too large.
    whole = tf.reduce_prod(limit * scale) <= MAX_RESIZED_PX
    side = img_size / scale
    low = tf.clip_by_value(tf.floor(center - side), 0.0, limit - 1.0)
    high = tf.clip_by_value(tf.math.ceil(center + side), low + 1.0, limit)
    low, high = tf.where(whole, tf.zeros_like(low), low), tf.where(whole, limit, high)
    size = tf.maximum(tf.floor((high - low) * scale), 1.0)
    factors = size / (high - low)
    start = tf.round((center - low) * factors) - img_size // 2
    positions = tf.clip_by_value(
        tf.range(img_size, dtype=tf.float64)[:, tf.newaxis] + start, 0.0, size - 1.0
    )
    pixels = _resized_pixels(picture, orientation, low, high, size, positions)
    return Crop(pixels, factors, start + low * factors)


def _resized_pixels(picture, orientation, low, high, size, positions):
    """What `cv2.resize` (bilinear, 8 bits) of a part of `picture` gives at some columns and rows.

    Args:
        picture: uint8 [H, W, 3], as it is stored.
        orientation: as EXIF has it.
        low: corner of the part, float64 [2]; x, y as in all that follow.
        high: its opposite corner, exclusive.
        size: the size to which it is resized.
        positions: float64 [S, 2], whole columns and rows of the resized part.
    """
    # Rounds as OpenCV does, which inverts the factor in float64 and keeps positions as float32.
    step = 1.0 / (size / (high - low))
    source = tf.cast((positions + 0.5) * step - 0.5, tf.float32)
    first = tf.floor(source)
    last = tf.cast(high - low, tf.float32) - 1.0
    part = source - first
    # OpenCV clamps columns before they are weighted, but rows afterwards.
    part_x = tf.where((first[:, 0] < 0) | (first[:, 0] >= last[0]), 0.0, part[:, 0])
    columns = _pairs(first[:, 0], last[0], low[0])
    rows = _pairs(first[:, 1], last[1], low[1])
    corners = upright_pixels(picture, orientation, rows, columns)
    left, right = tf.split(tf.cast(corners, tf.int32), 2, axis=1)
    left_weight, right_weight = (w[:, tf.newaxis] for w in _weights(part_x))
    upper, lower = tf.split(left * left_weight + right * right_weight, 2)
    upper_weight, lower_weight = (w[:, tf.newaxis, tf.newaxis] for w in _weights(part[:, 1]))
    # The fixed-point arithmetic of OpenCV's vertical pass, which drops low bits of each row first
    # (VResizeLinear for 8 bits in modules/imgproc/src/resize.cpp).
    blended = (upper // 2**4) * upper_weight // 2**16 + (lower // 2**4) * lower_weight // 2**16
    return tf.cast((blended + 2) // 2**2, tf.uint8)


def _pairs(first, last, offset):
    """Indices [2 S] of the pixels before and after each of S points, inside the part."""
    both = tf.clip_by_value(tf.concat([first, first + 1.0], 0), 0.0, last)
    return tf.cast(both, tf.int32) + tf.cast(offset, tf.int32)


def _weights(part):
    """Weights of the pixels before and after a point, each rounded on its own as in OpenCV."""
    return [tf.cast(tf.round(w * WEIGHT_ONE), tf.int32) for w in (1.0 - part, part)]


def _size_of(picture, orientation):
    """Width and height of the upright picture, float64 [2]."""
    return tf.cast(upright_size(picture, orientation)[::-1], tf.float64)
