"""Picture files of every kind become the same RGB, or are named with what is wrong."""

import io
import sys

import cv2
import exif_blocks
import numpy as np
import pytest
from PIL import Image

from hmr_tf2 import pictures


@pytest.fixture
def rgb(rng):
    """Smooth and asymmetric, so that lossy formats keep it and turns show."""
    columns, rows = np.meshgrid(np.linspace(0, 255, 48), np.linspace(0, 200, 32))
    return np.stack([columns, rows, 255 - columns], axis=2).astype(np.uint8)


def read(tmp_path, picture, name, **options):
    path = tmp_path / name
    picture.save(path, **options)
    return pictures.read_picture(path)


def test_lossless_formats_are_read_exactly(tmp_path, rgb):
    for name in ("a.png", "a.bmp", "a.tiff", "a.ppm"):
        np.testing.assert_array_equal(read(tmp_path, Image.fromarray(rgb), name), rgb)


def test_grey_fills_three_channels(tmp_path, rgb):
    for mode in ("L", "LA"):
        got = read(tmp_path, Image.fromarray(rgb[..., 0]).convert(mode), f"{mode}.png")
        np.testing.assert_array_equal(got, np.repeat(rgb[..., :1], 3, axis=2))


def test_transparency_is_dropped_as_in_the_originals_demo(tmp_path, rgb, rng):
    alpha = rng.integers(0, 256, rgb.shape[:2]).astype(np.uint8)
    rgba = Image.fromarray(np.dstack([rgb, alpha]))
    np.testing.assert_array_equal(read(tmp_path, rgba, "a.png"), rgb)


def test_sixteen_bits_become_eight(tmp_path, rgb):
    deep = Image.fromarray(rgb[..., 0].astype(np.uint16) * 257)
    for name in ("a.png", "a.tiff"):
        np.testing.assert_array_equal(read(tmp_path, deep, name)[..., 1], rgb[..., 0])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_says_which_side_is_up(tmp_path, rgb, orientation):
    stored = {
        1: rgb,
        2: rgb[:, ::-1],
        3: rgb[::-1, ::-1],
        4: rgb[::-1],
        5: rgb.swapaxes(0, 1),
        6: np.rot90(rgb),
        7: rgb[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(rgb, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    got = read(tmp_path, Image.fromarray(np.ascontiguousarray(stored)), "a.png", exif=exif)
    np.testing.assert_array_equal(got, rgb)


def test_cmyk_is_converted(tmp_path, rgb):
    got = read(tmp_path, Image.fromarray(rgb).convert("CMYK"), "a.jpg", quality=100)
    assert np.abs(got.astype(int) - rgb).max() < 12


def test_palettes_are_looked_up(tmp_path, rgb):
    palette = Image.fromarray(rgb).quantize(64)
    expected = np.asarray(palette.convert("RGB"))
    np.testing.assert_array_equal(read(tmp_path, palette, "a.png"), expected)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_the_first_frame_of_an_animation_counts(tmp_path, name):
    frames = [Image.new("RGB", (16, 12), color) for color in ("red", "blue")]
    got = read(tmp_path, frames[0], name, save_all=True, append_images=frames[1:], duration=99)
    assert np.abs(got[6, 8].astype(int) - [255, 0, 0]).max() < 12


def test_a_single_pixel_is_a_picture(tmp_path):
    assert read(tmp_path, Image.new("RGB", (1, 1), "lime"), "a.png").tolist() == [[[0, 255, 0]]]


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.gif", "a.bmp"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_picture_that_is_cut_off_is_named(tmp_path, rng, name, share):
    content = io.BytesIO()
    noise = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(content, Image.registered_extensions()[name[1:]])
    path = tmp_path / name
    path.write_bytes(content.getvalue()[: int(share * len(content.getvalue()))])
    with pytest.raises(ValueError, match=f"{name} is not a"):
        pictures.read_picture(path)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n"])
def test_a_file_that_is_no_picture_is_named(tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="broken.jpg is not a"):
        pictures.read_picture(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.jpg"):
        pictures.read_picture(tmp_path / "none.jpg")


def test_a_picture_beyond_all_measure_is_refused_before_it_fills_memory(tmp_path, monkeypatch):
    Image.new("1", (40000, 20000)).save(tmp_path / "bomb.png")
    with pytest.raises(ValueError, match="bomb.png has more than 268 million pixels"):
        pictures.read_picture(tmp_path / "bomb.png")


def test_fractions_for_pixels_are_refused(tmp_path):
    Image.fromarray(np.zeros((4, 5), np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(ValueError, match="floating-point pixels"):
        pictures.read_picture(tmp_path / "a.tiff")


def test_a_picture_is_written_whole_and_reads_the_same(tmp_path, rgb):
    path = tmp_path / "new" / "a.png"
    pictures.write_picture(path, rgb)
    np.testing.assert_array_equal(pictures.read_picture(path), rgb)
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14])
@pytest.mark.parametrize("name", ["a.png", "a.tiff", "a.pgm"])
def test_grey_of_fewer_than_16_bits_is_stretched_and_that_is_said(tmp_path, caplog, bits, name):
    levels = np.linspace(0, 2**bits - 1, 600).reshape(20, 30).astype(np.uint16)
    got = read(tmp_path, Image.fromarray(levels), name)
    np.testing.assert_array_equal(got, np.repeat(levels[..., None] >> (bits - 8), 3, axis=2))
    top = 2**bits - 1
    said = f"{name}: its levels reach {top} only, so that 0 to {top} were taken for black to white"
    assert said in caplog.text


@pytest.mark.parametrize("bits", [15, 16])
def test_grey_that_fills_16_bits_keeps_its_upper_8(tmp_path, caplog, bits):
    levels = np.linspace(0, 2**bits - 1, 600).reshape(20, 30).astype(np.uint16)
    got = read(tmp_path, Image.fromarray(levels), "a.png")
    np.testing.assert_array_equal(got[..., 0], levels // 256)
    assert not caplog.records


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_colors_of_fewer_than_16_bits_are_stretched_too(tmp_path, rng, bits, name):
    levels = rng.integers(0, 2**bits, (20, 30, 3), np.uint16)
    levels[0, 0] = 2**bits - 1
    cv2.imwrite(str(tmp_path / name), levels[..., ::-1])
    np.testing.assert_array_equal(pictures.read_picture(tmp_path / name), levels >> (bits - 8))


@pytest.mark.parametrize(
    "kind, low, high, shift",
    [(np.int32, 0, 255, 0), (np.int32, 0, 4095, 4), (np.int32, 0, 65535, 8),
     (np.int32, 0, 2**31 - 1, 23), (np.uint32, 0, 2**32 - 1, 24)],
)  # fmt: skip
def test_32_bits_become_8(tmp_path, kind, low, high, shift):
    levels = np.linspace(low, high, 600).reshape(20, 30).astype(kind)
    path, signed, unsigned = tmp_path / "a.tiff", b"S\1\3\0\1\0\0\0\2", b"S\1\3\0\1\0\0\0\1"
    Image.fromarray(levels.view(np.int32)).save(path)
    assert signed in path.read_bytes()  # the entry of the kind of numbers, which Pillow ignores
    if kind == np.uint32:
        path.write_bytes(path.read_bytes().replace(signed, unsigned))
    np.testing.assert_array_equal(pictures.read_picture(path)[..., 1], levels >> shift)


def test_negative_levels_are_stretched_from_the_lowest(tmp_path, caplog):
    levels = np.linspace(-1000, 3000, 256).reshape(16, 16).astype(np.int32)
    got = read(tmp_path, Image.fromarray(levels), "a.tiff")
    assert np.abs(got[..., 0].ravel().astype(int) - np.arange(256)).max() <= 1
    assert "a.tiff: its levels -1000 to 3000 were taken for black to white" in caplog.text


def test_a_black_picture_of_16_bits_is_black(tmp_path, caplog):
    assert not read(tmp_path, Image.fromarray(np.zeros((4, 5), np.uint16)), "a.png").any()
    assert not caplog.records


@pytest.mark.parametrize("mode", ["L", "LA", "1", "P", "RGBA", "CMYK", "YCbCr", "LAB", "HSV"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "TGA", "PPM", "GIF", "BMP"])
def test_every_mode_that_a_format_holds_becomes_rgb(tmp_path, rgb, kind, mode):
    path = tmp_path / "a"
    try:
        Image.fromarray(rgb).convert(mode).save(path, kind)
        expected = np.asarray(Image.open(path).convert("RGB"))
    except (OSError, ValueError):
        return  # not a mode of this format
    np.testing.assert_array_equal(pictures.read_picture(path), expected)


def test_every_suffix_that_pillow_reads_is_known(tmp_path):
    pytest.importorskip("pillow_heif").register_heif_opener()
    not_read = {
        ".h5", ".hdf", ".grib", ".bufr", ".iim", ".mpg", ".mpeg",  # only known by name
        ".ps", ".eps", ".emf", ".wmf",  # drawings, by other programs
        ".pfm", ".fit", ".fits",  # floating-point numbers
    }  # fmt: skip
    registered = Image.registered_extensions()
    readable = {suffix for suffix, kind in registered.items() if kind in Image.OPEN}
    assert readable - not_read == set(pictures.SUFFIXES) - {".mpo"}
    assert len(set(pictures.SUFFIXES)) == len(pictures.SUFFIXES)


@pytest.mark.parametrize(
    "name", ["a.JPE", "a.jfif", "a.jp2", "a.avif", "a.heic", "a.HEIF", "a.tga"]
)
def test_pictures_of_phones_and_programs_are_read(tmp_path, rgb, name):
    pytest.importorskip("pillow_heif").register_heif_opener()
    got = read(tmp_path, Image.fromarray(rgb), name, quality=95)
    assert np.abs(got.astype(int) - rgb).mean() < 4


def test_what_a_picture_is_decides_not_its_suffix(tmp_path, rgb):
    pytest.importorskip("pillow_heif").register_heif_opener()
    for kind in ("PNG", "HEIF", "WEBP"):
        Image.fromarray(rgb).save(tmp_path / "a.jpg", kind)
        assert pictures.read_picture(tmp_path / "a.jpg").shape == rgb.shape


def test_a_heic_without_its_reader_is_named_with_the_remedy(tmp_path, rgb, monkeypatch):
    pytest.importorskip("pillow_heif").register_heif_opener()
    Image.fromarray(rgb).save(tmp_path / "a.jpg", "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ValueError, match=r"a.jpg is a HEIC picture.*'hmr_tf2\[heif\]'.*to JPEG"):
        pictures.read_picture(tmp_path / "a.jpg")


def test_a_tiff_of_a_rare_kind_is_named_with_the_remedy(tmp_path, rng):
    cv2.imwrite(str(tmp_path / "a.tif"), rng.random((5, 6, 3)).astype(np.float32))
    with pytest.raises(ValueError, match=r"a.tif is not a picture .*save it as PNG"):
        pictures.read_picture(tmp_path / "a.tif")


KINDS = (
    "JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "TGA", "QOI", "ICO",
    "PCX", "SGI", "DDS", "IM", "ICNS", "DIB", "HEIF",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_a_picture_or_an_error_that_names_it(tmp_path, kind):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    whole = exif_blocks.encoded(exif_blocks.blocks_of_colors(height=16, width=16), kind)
    path = tmp_path / "damaged.jpg"
    for data in exif_blocks.mutants(np.random.default_rng(1), whole, 150):
        path.write_bytes(data)
        try:
            got = pictures.read_picture(path)
        except ValueError as error:
            assert "damaged.jpg" in str(error)
        else:
            assert got.dtype == np.uint8 and got.shape[2] == 3


@pytest.mark.parametrize(
    "error", [KeyError("x"), AttributeError(""), OverflowError("x"), ZeroDivisionError("x"),
              RuntimeError("x"), MemoryError(), AssertionError(),
              UnicodeDecodeError("a", b"", 0, 1, "")],
    ids=repr,
)  # fmt: skip
def test_whatever_a_reader_raises_names_the_file(tmp_path, rgb, monkeypatch, error):
    def fail(*args):
        raise error

    Image.fromarray(rgb).save(tmp_path / "a.png")
    monkeypatch.setattr(Image.Image, "convert", fail)
    with pytest.raises(ValueError, match=r"a.png is not a whole picture: .+"):
        pictures.read_picture(tmp_path / "a.png")


def test_an_animation_is_said_to_be_one_and_only_once(tmp_path, caplog):
    path = tmp_path / "a.gif"
    frames = [Image.new("RGB", (8, 6), (40 * k, 0, 0)) for k in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    for _ in range(2):
        assert pictures.read_picture(path).shape == (6, 8, 3)
    assert caplog.text.count("only the first of its 3 frames is read") == 1


def test_ten_bits_of_colour_in_a_ppm_of_sixteen_are_stretched(tmp_path):
    levels = np.linspace(0, 1023, 24).astype(">u2").reshape(2, 4, 3)
    (tmp_path / "a.ppm").write_bytes(b"P6 4 2 65535\n" + levels.tobytes())
    np.testing.assert_array_equal(pictures.read_picture(tmp_path / "a.ppm"), levels // 4)


@pytest.mark.parametrize(
    "content, kind",
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "a web page"),
    ],
)
def test_what_is_there_in_place_of_a_picture_is_named(tmp_path, content, kind):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.jpg is not a picture that can be read: .*{kind}"):
        pictures.read_picture(tmp_path / "a.jpg")
