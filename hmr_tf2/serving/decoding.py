"""Decodes the bytes of a JPEG or PNG in the graph; anything else raises an error."""

import tensorflow as tf

# A square of 8192 pixels. Larger ones are refused by their header, before memory is allocated.
MAX_PIXELS = 2**26

JPEG_START = b"\xff\xd8\xff"
PNG_START = b"\x89PNG\r\n\x1a\n"


def decode_picture(data: tf.Tensor) -> tf.Tensor:
    """Decodes one picture as `hmr_tf2.pictures.read_picture` does, but as it is stored.

    Grey, palette and CMYK become RGB, 16 bits become 8, transparency is dropped. The EXIF
    orientation, which says how the camera was held, is ignored.

    Args:
        data: string []; a JPEG or a PNG.

    Returns:
        uint8 [H, W, 3].

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
        return tf.io.decode_png(data, channels=3)


def _decode_jpeg(data):
    # The kernels behind `decode_jpeg` take GIF and BMP too.
    is_jpeg = tf.equal(tf.strings.substr(data, 0, len(JPEG_START)), JPEG_START)
    with tf.control_dependencies([tf.debugging.Assert(is_jpeg, ["neither JPEG nor PNG"])]):
        size = tf.io.extract_jpeg_shape(data, tf.int64)[:2]
    with tf.control_dependencies([_assert_decodable(size)]):
        # The accurate transform is what Pillow and OpenCV use.
        return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")


def _assert_decodable(size):
    # By division: the product of two hostile sides may not fit in 64 bits.
    small_enough = tf.reduce_all(size > 0) & (size[0] <= MAX_PIXELS // tf.maximum(size[1], 1))
    return tf.debugging.Assert(small_enough, ["larger than", MAX_PIXELS, "pixels", size])
