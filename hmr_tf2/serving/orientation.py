"""Which side of a picture is up, found in the graph as `hmr_tf2.exif` does, step for step."""

from collections.abc import Callable

import tensorflow as tf

from hmr_tf2 import exif


def orientation_of_jpeg(data: tf.Tensor) -> tf.Tensor:
    """The orientation that the EXIF block of a JPEG states.

    Args:
        data: string []; any bytes: no length in them leads outside, or round in circles.

    Returns:
        int64 [] in 1 to 8; 1 if none can be read.
    """
    size = _length(data)

    def look(position):
        window = _bytes_at(data, position, exif.WINDOW + 1)
        is_marker = (window[:-1] == 0xFF) & (window[1:] != 0) & (window[1:] != 0xFF)
        place = tf.argmax(tf.cast(is_marker, tf.int32))
        # Past the marker; in a window without one, past the window.
        start = position + tf.where(is_marker[place], place + 2, exif.WINDOW)
        marker = tf.where(is_marker[place], window[place + 1], exif.STANDALONE[0])
        segment = _bytes_at(data, start, 2 + len(exif.EXIF_START))
        length = _number(segment[:2], is_little=False)
        is_alone = _is_in(marker, exif.STANDALONE)
        is_good = ~_is_in(marker, exif.ENDS) & (is_alone | (length >= 2))
        is_block = (
            (marker == exif.APP1)
            & (length >= segment.shape[0])
            & tf.reduce_all(segment[2:] == list(exif.EXIF_START))
        )
        return (
            is_good,
            is_block,
            start + 2,
            start + tf.where(is_alone, tf.zeros_like(size), length),
        )

    return orientation_of_block(_first_block(data, 2, look))


def orientation_of_png(data: tf.Tensor) -> tf.Tensor:
    """The orientation that the EXIF block of a PNG states; as `orientation_of_jpeg`."""

    def look(position):
        head = _bytes_at(data, position, 8)
        is_block = tf.reduce_all(head[4:] == list(b"eXIf"))
        end = position + 8 + _number(head[:4], is_little=False)
        # Four bytes of a checksum follow, which must be there.
        return tf.constant(True), is_block, position + 8, end + 4

    return orientation_of_block(_first_block(data, len(exif.PNG_START), look))


def orientation_of_block(block: tf.Tensor) -> tf.Tensor:
    """The orientation that an EXIF block (string []) states; as `orientation_of_jpeg`."""
    has_start = _text(block, 0, len(exif.EXIF_START)) == exif.EXIF_START
    block = _text(block, tf.where(has_start, len(exif.EXIF_START), 0), _length(block))
    head = _bytes_at(block, 0, 8)
    is_little = tf.reduce_all(head[:2] == list(b"II"))
    has_order = is_little | tf.reduce_all(head[:2] == list(b"MM"))
    place = _number(head[4:], is_little)
    count = _number(_bytes_at(block, place, 2), is_little)
    has_table = has_order & (_length(block) >= 8) & (place + 2 <= _length(block))
    table = _text(block, place + 2, tf.where(has_table, 12 * count, 0))
    # Only whole entries, in case the block is cut off.
    rows = _length(table) // 12
    table = tf.io.decode_raw(_text(table, 0, 12 * rows), tf.uint8)
    table = tf.cast(tf.reshape(table, [-1, 12]), tf.int64)
    tag, kind = _number(table[:, :2], is_little), _number(table[:, 2:4], is_little)
    count = _number(table[:, 4:8], is_little)
    found, value = tf.zeros_like(tag, tf.bool), tf.zeros_like(tag)
    for number, size in exif.VALUE_BYTES.items():
        is_this = (tag == exif.ORIENTATION) & (kind == number) & (count <= 4 // size)
        is_this &= count >= 1
        value = tf.where(is_this, _number(table[:, 8 : 8 + size], is_little), value)
        found |= is_this
    value = tf.where((value >= 1) & (value <= 8), value, 1)
    # The last entry counts: the largest of numbers whose lowest digit (of 16) is the value.
    ranked = tf.where(found, tf.range(rows) * 16 + value, 1)
    return tf.reduce_max(tf.concat([[1], ranked], 0)) % 16


def upright(picture: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """A stored picture [H, W, 3] turned and mirrored as its orientation asks for."""
    sides = tf.cond(orientation >= 5, lambda: tf.transpose(picture, [1, 0, 2]), lambda: picture)
    return tf.reverse(sides, tf.where(_is_flipped(orientation))[:, 0])


def upright_size(picture: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Height and width of `upright`, int32 [2]."""
    return tf.gather(tf.shape(picture), tf.where(orientation >= 5, [1, 0], [0, 1]))


def upright_pixels(
    picture: tf.Tensor, orientation: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor
) -> tf.Tensor:
    """Rows, and in them columns, of `upright`, without turning more than these.

    Args:
        picture: the stored picture, uint8 [H, W, 3].
        orientation: int64 [], 1 to 8.
        rows: int32 [N], of the upright picture, as `columns` are.
        columns: int32 [N].

    Returns:
        uint8 [N, N, 3].
    """
    is_turned = tf.greater_equal(orientation, 5)
    last = upright_size(picture, orientation) - 1
    places = tf.stack([rows, columns])
    places = tf.where(
        _is_flipped(orientation)[:, tf.newaxis], last[:, tf.newaxis] - places, places
    )
    first, second = tf.unstack(tf.where(is_turned, places[::-1], places))
    found = tf.gather(tf.gather(picture, first), second, axis=1)
    return tf.cond(is_turned, lambda: tf.transpose(found, [1, 0, 2]), lambda: found)


def _is_flipped(orientation):
    """Whether rows and columns run backwards, bool [2], once the picture is turned."""
    return tf.stack([_is_in(orientation, (3, 4, 7, 8)), _is_in(orientation, (2, 3, 6, 7))])


def _first_block(
    data: tf.Tensor, first: int, look: Callable[[tf.Tensor], tuple[tf.Tensor, ...]]
) -> tf.Tensor:
    """The content of the first EXIF block of a file, string []; empty if there is none.

    Args:
        data: the file, string [].
        first: position of its first part.
        look: from the position of a part to whether it can be followed, whether it is the block,
            the start of its content, and the position of the next part.
    """
    size = _length(data)

    def step(part, position, start, end):
        del start, end
        is_good, is_block, content, after = look(position)
        is_good &= after <= size
        is_block &= is_good
        # A file that has ended, and a block that was found, end the search.
        goes_on = is_good & ~is_block & (after < size)
        nothing = tf.zeros_like(size)
        return (
            tf.where(goes_on, part + 1, exif.MAX_PARTS),
            after,
            tf.where(is_block, content, nothing),
            tf.where(is_block, after, nothing),
        )

    zero = tf.constant(0, tf.int64)
    _, _, start, end = tf.while_loop(
        lambda part, *_: part < exif.MAX_PARTS,
        step,
        (zero, tf.constant(first, tf.int64), zero, zero),
        parallel_iterations=1,
    )
    return _text(data, start, end - start)


def _text(data, start, length):
    """Bytes of a string [] as a string; fewer where it ends, none outside of it."""
    start = tf.minimum(tf.cast(start, tf.int64), _length(data))
    return tf.strings.substr(data, start, tf.cast(length, tf.int64))


def _bytes_at(data, start, count):
    """Bytes of a string [] as int64 [count]; zeros where it has none."""
    found = tf.io.decode_raw(_text(data, start, count), tf.uint8)
    padded = tf.pad(found, [[0, count - tf.size(found)]])
    return tf.cast(tf.ensure_shape(padded, [count]), tf.int64)


def _number(digits, is_little):
    """The whole number of bytes [..., N], int64 [...]."""
    places = tf.constant([256**k for k in range(digits.shape[-1])], tf.int64)
    return tf.reduce_sum(digits * tf.where(is_little, places, places[::-1]), -1)


def _is_in(value, values):
    return tf.reduce_any(value == tf.constant(values, tf.int64))


def _length(data):
    return tf.cast(tf.strings.length(data), tf.int64)
