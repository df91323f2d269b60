"""Claims about the crops: exact where a short cut is taken, and the borders of the picture."""

import numpy as np
import pytest

from tfrecords_tools import images


@pytest.fixture
def picture():
    """Noise, the hardest case for the claim that blocks of JPEG do not depend on each other."""
    return np.random.default_rng(0).integers(0, 256, (203, 331, 3), np.uint8)


@pytest.mark.parametrize(
    ("center", "margin"),
    [((80, 50), 20), ((0, 0), 15), ((160, 100), 30), ((83, 51), 200), ((150, 20), 7)],
)
@pytest.mark.parametrize("scale", [0.31, 0.5, 1.0, 1.7])
def test_recoding_the_part_that_is_cropped_equals_recoding_all(picture, center, margin, scale):
    size, factors = images.target_size(picture, scale, "a")
    center = np.array(center) * scale
    start, end = images.crop_bounds(size, center, margin, "a")
    whole = images.decode(images.encode(picture, quality=100), "a")
    part = images.recode(picture, start, end, factors, "a")
    expected = images.crop(images.resize(whole, size), start, end)
    assert np.array_equal(images.crop(images.resize(part, size), start, end), expected)


def test_a_padded_crop_repeats_the_edge(picture):
    start, end = np.array([-5, 190]), np.array([15, 210])
    crop = images.padded_crop(picture, start, end)
    expected = np.pad(picture, ((300, 300), (300, 300), (0, 0)), "edge")[490:510, 295:315]
    assert np.array_equal(crop, expected)


@pytest.mark.parametrize("scale", [np.inf, np.nan, 1e5, 1e-4])
def test_absurd_scales_are_skips(picture, scale):
    with pytest.raises(images.BadSampleError):
        images.target_size(picture, scale, "a")


def test_a_person_outside_the_picture_is_a_skip():
    for center in ((-50, 10), (400, 10), (10, 300)):
        with pytest.raises(images.BadSampleError, match="outside"):
            images.crop_bounds((100, 100), np.array(center), 30, "a")
