"""The graph finds the orientation that Python finds, in whole files and in damaged ones."""

import time

import exif_blocks
import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2 import exif
from hmr_tf2.serving import batches, decoding, orientation

DATA = [tf.TensorSpec([], tf.string)]
OF_JPEG = tf.function(orientation.orientation_of_jpeg, input_signature=DATA, autograph=False)
OF_PNG = tf.function(orientation.orientation_of_png, input_signature=DATA, autograph=False)
OF_BLOCK = tf.function(orientation.orientation_of_block, input_signature=DATA, autograph=False)
STORED_AND_UPRIGHT = tf.function(
    lambda data: (*decoding.decode_stored(data), decoding.decode_picture(data)),
    input_signature=DATA,
    autograph=False,
)
CROPS = tf.function(
    batches.crop_batch, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
)
STORED = exif_blocks.blocks_of_colors()


def same(function, data, reader=exif.orientation_of_file) -> int:
    found = int(function(tf.constant(data)))
    assert found == reader(data)
    return found


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("value", range(11))
def test_the_number_is_read_in_both_byte_orders(order, value):
    block = exif_blocks.block(value, order, [(0x0100, 4, 1, b"abcd")])
    wanted = value if 1 <= value <= 8 else 1
    assert same(OF_BLOCK, block, exif.orientation_of_block) == wanted
    assert same(OF_BLOCK, b"Exif\0\0" + block, exif.orientation_of_block) == wanted


def test_the_last_entry_counts_and_other_kinds_of_numbers_do_not():
    six = (0x0112, 3, 1, b"\6\0\0\0")
    for extra in ([six], [six, (0x0112, 1, 1, b"\7\0\0\0")], [(0x0112, 5, 1, b"\7\0\0\0")]):
        assert same(OF_BLOCK, exif_blocks.block(3, extra=extra), exif.orientation_of_block) == 3
        last = exif_blocks.block(9, extra=extra)
        assert same(OF_BLOCK, last, exif.orientation_of_block) == 1


def test_segments_stand_in_any_order():
    jpeg, block = exif_blocks.encoded(STORED, "JPEG"), exif_blocks.app1(exif_blocks.block(6))
    xmp = exif_blocks.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")
    icc = exif_blocks.segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(65000))
    for segments in (
        [block], [xmp, block], [icc, icc, xmp, block], [b"\xff" * 700, block],
        [xmp, b"\x11" * 300, block], [b"\xff\xd0", block], [b"\xff\xff\xff", xmp, b"\xff", block],
        [block, exif_blocks.app1(exif_blocks.block(3))],
    ):  # fmt: skip
        assert same(OF_JPEG, exif_blocks.jpeg_with(jpeg, *segments)) == 6
    assert same(OF_JPEG, jpeg[:20] + block + jpeg[20:]) == 6  # after APP0
    assert same(OF_JPEG, jpeg) == 1
    # After the start of the pixels, or cut off.
    assert same(OF_JPEG, jpeg + block) == 1
    assert same(OF_JPEG, (jpeg[:2] + block)[:-5]) == 1


@pytest.mark.parametrize("kind, function", [("JPEG", OF_JPEG), ("PNG", OF_PNG)])
def test_thousands_of_damaged_files_have_the_same_orientation_as_in_python(kind, function):
    rng, found = np.random.default_rng(0), set()
    for value in (6, 3):
        whole = exif_blocks.encoded(STORED, kind, exif_blocks.rich_block(value))
        start = 3 if kind == "JPEG" else 8
        for mutant in exif_blocks.mutants(rng, whole[start:320], 600):
            found.add(same(function, whole[:start] + mutant))
    assert found >= {1, 3, 6}


def test_thousands_of_damaged_blocks_have_the_same_orientation_as_in_python():
    rng, found = np.random.default_rng(0), set()
    for order in "<>":
        whole = exif_blocks.block(
            5, order, [(0x0112, 4, 1, b"\2\0\0\2"), (0x0100, 3, 1, bytes(4))]
        )
        for mutant in exif_blocks.mutants(rng, whole, 1000):
            found.add(same(OF_BLOCK, mutant, exif.orientation_of_block))
    assert found >= {1, 2, 5}


@pytest.mark.parametrize(
    "content", [b"", b"I", b"II*\0", b"Exif\0\0", b"MM\0*\0\0\0\x08", bytes(99)]
)
def test_short_blocks_state_nothing(content):
    assert same(OF_BLOCK, content, exif.orientation_of_block) == 1


def test_a_jpeg_with_a_damaged_block_is_used_as_it_is():
    plain = exif_blocks.encoded(STORED, "JPEG")
    expected = CROPS(tf.constant([plain])).pixels[0]
    files = [
        exif_blocks.jpeg_with(plain, exif_blocks.app1(block))
        for block in (b"", b"nonsense", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff")
    ]
    crops = CROPS(tf.constant(files))
    assert crops.valid.numpy().all()
    for pixels in crops.pixels:
        np.testing.assert_array_equal(pixels, expected)


def test_damaged_headers_are_cropped_as_they_lie_in_python_or_are_not_valid():
    rng = np.random.default_rng(3)
    whole = exif_blocks.encoded(STORED, "JPEG", exif_blocks.rich_block(6))
    files = [
        whole[:2] + mutant + whole[300:] for mutant in exif_blocks.mutants(rng, whole[2:300], 100)
    ]
    crops = CROPS(tf.constant(files))
    assert 0 < crops.valid.numpy().sum() < len(files)
    for data, pixels, valid in zip(files, crops.pixels, crops.valid.numpy(), strict=True):
        if valid:
            stored, found, picture = STORED_AND_UPRIGHT(tf.constant(data))
            assert int(found) == exif.orientation_of_file(data)
            np.testing.assert_array_equal(picture, exif.upright(stored.numpy(), int(found)))
            assert pixels.numpy().any()


def test_hostile_files_end_soon():
    jpeg = exif_blocks.encoded(STORED, "JPEG")
    late = exif_blocks.app1(exif_blocks.block(6))
    short = exif_blocks.segment(0xE3, b"")
    start = time.monotonic()
    for data, function, wanted in (
        (exif_blocks.jpeg_with(jpeg, short * 4000, late), OF_JPEG, 6),
        (exif_blocks.jpeg_with(jpeg, short * 10**6, late), OF_JPEG, 1),
        (jpeg[:2] + b"\xff" * 10**7, OF_JPEG, 1),
        (exif.PNG_START + (bytes(4) + b"tEXt" + bytes(4)) * 10**6, OF_PNG, 1),
        (exif.PNG_START + b"\xff\xff\xff\xffeXIf", OF_PNG, 1),
    ):
        assert same(function, data) == wanted
    assert time.monotonic() - start < 60  # each takes at most a second, but on a busy machine
