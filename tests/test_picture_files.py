"""Picture files of every kind become the same RGB, or are named with what is wrong."""

import io

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
