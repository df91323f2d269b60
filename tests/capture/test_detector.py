"""OpenCV's detector finds people who stand, and says so when it finds nobody."""

import pathlib

import numpy as np
import pytest

from hmr_tf2.capture.boxes import overlap
from hmr_tf2.capture.detector import HogDetector
from hmr_tf2.standin import appearance, backgrounds, people


@pytest.fixture(scope="module")
def standing():
    """Somebody who stands before a plain wall, 300 pixels tall, and their box."""
    rng = np.random.default_rng(1)
    figure = people.random_figure(rng, pose=np.zeros(72))
    size = (480, 640)
    camera = people.frame_camera(
        rng, figure.points("vertices"), size, height_px=300, centre_px=(250, 240), pitch=0.0
    )
    scenery = backgrounds.background(rng, *size, 0.0)
    photo = people.photograph([figure], camera, scenery, appearance.random_lights(rng))
    rows, columns = np.nonzero(photo.people[0].mask)
    box = [columns.min(), rows.min(), np.ptp(columns), np.ptp(rows)]
    return photo.image, np.array(box, float)


def test_somebody_who_stands_is_found(standing):
    picture, box = standing
    found = HogDetector().find(pathlib.Path("a.jpg"), picture)
    middle = found.boxes[0, :2] + found.boxes[0, 2:] / 2
    np.testing.assert_allclose(middle, box[:2] + box[2:] / 2, atol=0.12 * box[3])
    assert 0.7 < found.boxes[0, 3] / box[3] < 1.3


def test_nobody_is_found_in_an_empty_picture():
    empty = np.full((200, 300, 3), 90, np.uint8)
    assert len(HogDetector().find(pathlib.Path("a.mp4"), empty, 0).boxes) == 0
    with pytest.raises(ValueError, match="a.jpg: --detector=hog found nobody"):
        HogDetector().find(pathlib.Path("a.jpg"), empty)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (40, 20)])
def test_pictures_smaller_than_its_window_are_searched_too(size):
    found = HogDetector().find(pathlib.Path("a.mp4"), np.zeros((*size, 3), np.uint8), 0)
    assert found.boxes.shape[1] == 4


def test_nobody_is_found_twice(standing):
    found = HogDetector().find(pathlib.Path("a.jpg"), standing[0])
    shared = overlap(found.boxes, found.boxes)
    assert (shared[~np.eye(len(shared), dtype=bool)] < 0.4).all()
