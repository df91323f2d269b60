"""The orientation of pictures, from EXIF blocks however they are written and damaged."""

import io
import struct
import warnings
import zlib

import exif_blocks
import numpy as np
import pytest
from PIL import Image, ImageOps

from hmr_tf2 import exif, pictures


@pytest.fixture(scope="module")
def stored():
    return exif_blocks.blocks_of_colors()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_both_byte_orders_are_read(order, orientation):
    block = exif_blocks.block(orientation, order, [(0x0100, 4, 1, b"abcd")])
    assert exif.orientation_of_block(block) == orientation
    assert exif.orientation_of_block(b"Exif\0\0" + block) == orientation


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
def test_an_orientation_that_does_not_exist_is_none(value):
    assert exif.orientation_of_block(exif_blocks.block(value)) == 1


@pytest.mark.parametrize("kind, content", [(1, b"\x06\0\0\0"), (4, struct.pack("<I", 6))])
def test_other_whole_numbers_are_read_too(kind, content):
    block = exif_blocks.block(1, extra=[(0x0112, kind, 1, content)])
    # Without the last entry, which would count.
    block = block[:8] + b"\1\0" + block[10:]
    assert exif.orientation_of_block(block) == 6


@pytest.mark.parametrize(
    "entry",
    [
        (0x010F, 2, 2**31, b"\xff\xff\xff\xff"), (0x011A, 5, 1, b"\xff\xff\xff\xff"),
        (0x011B, 5, 2**32 - 1, bytes(4)), (0x8769, 4, 1, b"\xff\xff\xff\xff"),
        (0x8825, 13, 7, bytes(4)), (0x0128, 3, 0, bytes(4)), (0, 0, 0, bytes(4)),
        (65535, 65535, 2**32 - 1, b"\xff" * 4), (0x0100, 129, 1, bytes(4)),
    ],
    ids=str,
)  # fmt: skip
def test_a_damaged_number_beside_the_orientation_does_no_harm(tmp_path, stored, entry):
    for kind in ("JPEG", "PNG", "WEBP"):
        data = exif_blocks.encoded(stored, kind, exif_blocks.block(6, extra=[entry]))
        (tmp_path / "a.jpg").write_bytes(data)
        got = pictures.read_picture(tmp_path / "a.jpg").astype(int)
        assert got.shape == (40, 24, 3)
        assert np.abs(got - np.rot90(stored, -1)).max() < 100


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_pillow_turns_whole_files_in_the_same_way(tmp_path, stored, kind, orientation):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    data = exif_blocks.encoded(stored, kind, exif_blocks.rich_block(orientation))
    (tmp_path / "a").write_bytes(data)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    np.testing.assert_array_equal(pictures.read_picture(tmp_path / "a"), np.asarray(expected))


def damaged_files(stored, kind, rng, count):
    """Files whose EXIF block alone is damaged; its length and all else are right."""
    block = exif_blocks.rich_block(6)
    plain = exif_blocks.encoded(stored, kind)
    whole = exif_blocks.encoded(stored, kind, block)
    # AVIF and HEIF state the orientation elsewhere, and their encoders take it out of the block.
    place = whole.find(b"2024:01:01") - block.find(b"2024:01:01")
    for mutant in exif_blocks.mutants(rng, block, count):
        if kind == "JPEG":
            yield exif_blocks.jpeg_with(plain, exif_blocks.app1(mutant))
        elif kind in ("PNG", "WEBP"):
            yield exif_blocks.encoded(stored, kind, mutant)
        else:
            mutant = (mutant + bytes(len(block)))[: len(block)]
            yield whole[:place] + mutant + whole[place + len(block) :]


@pytest.mark.parametrize(
    "kind, count", [("JPEG", 1000), ("PNG", 1000), ("WEBP", 1000), ("HEIF", 60), ("AVIF", 60)]
)
def test_thousands_of_damaged_exif_blocks_cost_no_picture(tmp_path, stored, kind, count):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    path, rng = tmp_path / "a.jpg", np.random.default_rng(0)
    path.write_bytes(exif_blocks.encoded(stored, kind))
    plain = pictures.read_picture(path)
    legal = [turn(plain).tobytes() for turn in exif_blocks.TURNS.values()]
    found = set()
    for data in damaged_files(stored, kind, rng, count):
        path.write_bytes(data)
        found.add(legal.index(pictures.read_picture(path).tobytes()) + 1)
    assert found >= ({1, 6} if kind in ("JPEG", "PNG", "WEBP") else set())


def test_damaged_entries_of_a_tiff_that_its_pixels_do_not_need_do_no_harm(tmp_path, stored):
    path, rng = tmp_path / "a.tif", np.random.default_rng(0)
    whole = exif_blocks.encoded(stored, "TIFF", exif_blocks.rich_block(6))
    directory = exif._directory(whole)
    places = [
        directory[2] + 2 + 12 * k + byte
        for k, entry in enumerate(directory[1])
        if int.from_bytes(entry[:2], "little") not in (*exif.PIXEL_TAGS, exif.ORIENTATION)
        for byte in range(2, 12)
    ]
    for _ in range(500):
        mutant = bytearray(whole)
        for place in rng.choice(places, 3):
            mutant[place] = rng.integers(256)
        path.write_bytes(mutant)
        np.testing.assert_array_equal(pictures.read_picture(path), np.rot90(stored, -1))


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"pHYs", b"gAMA", b"eXIf"])
def test_a_damaged_chunk_beside_the_pixels_does_no_harm(tmp_path, stored, kind):
    whole = exif_blocks.encoded(stored, "PNG")
    chunk = struct.pack(">I", 3) + kind + b"\xff\xfe\0" + b"nope"  # and a wrong checksum
    for place in (33, len(whole) - 12):  # after IHDR, before IEND
        (tmp_path / "a.png").write_bytes(whole[:place] + chunk + whole[place:])
        np.testing.assert_array_equal(pictures.read_picture(tmp_path / "a.png"), stored)


def test_the_block_of_a_png_may_follow_the_pixels(stored):
    whole = exif_blocks.encoded(stored, "PNG")
    content = b"eXIf" + exif_blocks.block(8, ">")
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    assert exif.orientation_of_file(whole[:-12] + chunk + whole[-12:]) == 8


def odd_jpegs(data):
    """JPEGs whose orientation is 6, written in uncommon ways."""
    app1 = exif_blocks.app1(exif_blocks.block(6))
    xmp = exif_blocks.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")
    icc = exif_blocks.segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(65000))
    return {
        "before APP0": exif_blocks.jpeg_with(data, app1),
        "after APP0": data[:20] + app1 + data[20:],
        "after XMP": exif_blocks.jpeg_with(data, xmp, app1),
        "after much": exif_blocks.jpeg_with(data, icc, icc, icc, xmp, app1),
        "after a comment": exif_blocks.jpeg_with(data, exif_blocks.segment(0xFE, b"hi"), app1),
        "after fill bytes": exif_blocks.jpeg_with(data, b"\xff" * 700, app1),
        "fill and fill": exif_blocks.jpeg_with(data, b"\xff\xff", xmp, b"\xff\xff\xff", app1),
        "after junk": exif_blocks.jpeg_with(data, xmp, b"\x11" * 300, app1),
        "a second block": exif_blocks.jpeg_with(
            data, app1, exif_blocks.app1(exif_blocks.block(3))
        ),
    }


ODD = odd_jpegs(exif_blocks.encoded(exif_blocks.blocks_of_colors(), "JPEG"))


@pytest.mark.parametrize("name", ODD)
def test_segments_stand_in_any_order(tmp_path, name):
    assert exif.orientation_of_file(ODD[name]) == 6
    (tmp_path / "a.jpg").write_bytes(ODD[name])
    assert pictures.read_picture(tmp_path / "a.jpg").shape == (40, 24, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ImageOps.exif_transpose(Image.open(io.BytesIO(ODD[name]))).size == (24, 40)


def test_hostile_files_end_soon(stored):
    jpeg = exif_blocks.encoded(stored, "JPEG")
    late = exif_blocks.app1(exif_blocks.block(6))
    short = exif_blocks.segment(0xE3, b"")
    assert exif.orientation_of_file(exif_blocks.jpeg_with(jpeg, short * 4000, late)) == 6
    assert exif.orientation_of_file(exif_blocks.jpeg_with(jpeg, short * 10**6, late)) == 1
    assert exif.orientation_of_file(jpeg[:2] + b"\xff" * 10**7) == 1
    assert exif.orientation_of_file(exif.PNG_START + (bytes(4) + b"tEXt" + bytes(4)) * 10**6) == 1


def test_xmp_is_not_followed(tmp_path, stored):
    """The graph of a server cannot; and most viewers do not."""
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    data = exif_blocks.jpeg_with(
        exif_blocks.encoded(stored, "JPEG"), exif_blocks.segment(0xE1, xmp)
    )
    (tmp_path / "a.jpg").write_bytes(data)
    assert pictures.read_picture(tmp_path / "a.jpg").shape == (24, 40, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
def test_pixels_are_those_of_the_whole_file(stored, kind):
    data = exif_blocks.encoded(stored, kind)
    bare = exif.without_metadata(data)
    expected, got = (Image.open(io.BytesIO(content)).convert("RGB") for content in (data, bare))
    np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))


def test_the_colors_of_a_jpeg_stay_those_that_its_segments_say(rng):
    """Adobe's segment tells CMYK from YCCK; both are inverted."""
    noise = Image.fromarray(rng.integers(0, 256, (8, 8, 4), np.uint8), "CMYK")
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG", quality=100)
    bare = exif.without_metadata(exif_blocks.jpeg_with(buffer.getvalue(), ODD["after XMP"][2:40]))
    assert b"Adobe" in bare
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(bare))), np.asarray(Image.open(buffer))
    )
