"""Decodes the bytes of a JPEG or PNG in the graph; anything else raises an error."""

import tensorflow as tf

from hmr_tf2.exif import JPEG_START, PNG_START
from hmr_tf2.pictures import MAX_PARTIAL_BITS
from hmr_tf2.serving.orientation import orientation_of_jpeg, orientation_of_png, upright

# A square of 8192 pixels. Larger ones are refused by their header, before memory is allocated.
MAX_PIXELS = 2**26


def decode_picture(data: tf.Tensor) -> tf.Tensor:
    """Decodes one picture as `hmr_tf2.pictures.read_picture` does, upright.

    Args:
        data: string []; a JPEG or a PNG.

    Returns:
        uint8 [H, W, 3].

    Raises:
        tf.errors.InvalidArgumentError: as `decode_stored`.
    """
    return upright(*decode_stored(data))


def decode_stored(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes one picture and finds out how it must be turned.

    Grey, palette and CMYK become RGB, transparency is dropped. Of 16 bits the upper 8 are kept, or
    the range that is used is stretched if it has 14 or fewer. Damage to the EXIF block is ignored.

    Args:
        data: string []; a JPEG or a PNG.

    Returns:
        uint8 [H, W, 3], as the picture is stored, and its EXIF orientation, int64 [] in 1 to 8.

    Raises:
        tf.errors.InvalidArgumentError: it is neither, or it is damaged, cut off or larger than
            `MAX_PIXELS`.
    """
    is_png = tf.equal(tf.strings.substr(data, 0, len(PNG_START)), PNG_START)
    return tf.cond(is_png, lambda: _decode_png(data), lambda: _decode_jpeg(data))


def _decode_png(data):
    # Width and height are at byte 16 of any PNG, big-endian.
    size_bytes = tf.io.decode_raw(tf.strings.substr(data, 16, 8), tf.uint8)
    places = tf.constant([2**24, 2**16, 2**8, 1], tf.int64)
    size = tf.linalg.matvec(tf.reshape(tf.cast(size_bytes, tf.int64), [2, 4]), places)
    with tf.control_dependencies([_assert_decodable(size)]):
        return _png_pixels(data), orientation_of_png(data)


def _png_pixels(data):
    upper = tf.io.decode_png(data, channels=3)
    # The number of bits follows on width and height.
    is_partial = tf.equal(tf.strings.substr(data, 24, 1), b"\x10") & tf.reduce_all(
        upper < 2 ** (MAX_PARTIAL_BITS - 8)
    )
    return tf.cond(is_partial, lambda: _stretched_png(data), lambda: upper)


def _stretched_png(data):
    """What `hmr_tf2.pictures` makes of a PNG of 16 bits that uses 14 of them or fewer."""
    levels = tf.cast(tf.io.decode_png(data, channels=3, dtype=tf.uint16), tf.int32)
    # Of the powers of two from 2**8 on, the first that is larger than all levels.
    over = tf.reduce_sum(
        tf.cast(tf.reduce_max(levels) >= 2 ** tf.range(8, MAX_PARTIAL_BITS), tf.int32)
    )
    return tf.cast(tf.bitwise.right_shift(levels, over), tf.uint8)


def _decode_jpeg(data):
    # The kernels behind `decode_jpeg` take GIF and BMP too.
    is_jpeg = tf.equal(tf.strings.substr(data, 0, len(JPEG_START)), JPEG_START)
    with tf.control_dependencies([tf.debugging.Assert(is_jpeg, ["neither JPEG nor PNG"])]):
        size = tf.io.extract_jpeg_shape(data, tf.int64)[:2]
    with tf.control_dependencies([_assert_decodable(size)]):
        # The accurate transform is what Pillow and OpenCV use.
        pixels = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
        return pixels, orientation_of_jpeg(data)


def _assert_decodable(size):
    # By division: the product of two hostile sides may not fit in 64 bits.
    small_enough = tf.reduce_all(size > 0) & (size[0] <= MAX_PIXELS // tf.maximum(size[1], 1))
    return tf.debugging.Assert(small_enough, ["larger than", MAX_PIXELS, "pixels", size])
