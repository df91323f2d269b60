"""What is drawn lies where the numbers say, in the picture and on the panel."""

import cv2
import numpy as np
import pytest

from hmr_tf2 import crops
from hmr_tf2.capture import bodies, picture_run
from hmr_tf2.visualization import overlay

FACES = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
)


def octahedron(centre, radius):
    return np.asarray(centre) + radius * np.repeat(np.eye(3), 2, axis=0) * np.tile(
        [[1.0], [-1.0]], (3, 1)
    )


@pytest.mark.parametrize("seed", range(25))
def test_the_drawn_mesh_and_the_joint_agree_within_a_pixel(seed):
    """A mesh so small that its drawing has one place: that of the joint in its middle."""
    rng = np.random.default_rng(seed)
    width, height = rng.integers(60, 700, 2)
    picture = np.zeros((height, width, 3), np.uint8)
    box = np.array([*rng.uniform(-0.2, 0.7, 2) * [width, height], *10 ** rng.uniform(1.2, 2.8, 2)])
    crop = crops.crop_box(picture, np.maximum(box, [1 - box[2], 1 - box[3], 1, 1]))
    # Somewhere in the picture, wherever the crop is.
    target = rng.uniform(0.1, 0.9, 2) * [width, height]
    cam = np.array([rng.uniform(0.4, 1.5), 0, 0], np.float32)
    joint = np.array([*rng.normal(0, 0.5, 2), rng.normal(0, 0.3)])
    cam[1:] = (target * crop.scale - crop.start - 112) / (112 * cam[0]) - joint[:2]
    sighting = bodies.Sighting(0, box, 1.0, crop.place, cam)
    on_crop = 112 * (cam[0] * (joint[:2] + cam[1:]) + 1)
    place = crop.to_picture(on_crop)
    mesh = octahedron(joint, 2.5 / sighting.camera.scale.min())
    drawn = overlay.draw_bodies(picture, [(mesh, sighting.camera, (1, 1, 1))], FACES)
    weight = drawn.sum(axis=2) > 0
    found = np.argwhere(weight).mean(axis=0)[::-1]
    np.testing.assert_allclose(found, place, atol=1.0)


@pytest.mark.parametrize("scale", [0.04, 0.4, 2.3])
def test_the_panel_shows_the_crop_in_the_resolution_of_the_picture(scale):
    picture = np.full((700, 1000, 3), 40, np.uint8)
    point, radius = np.array([420, 333]), max(2, round(3 / scale))
    cv2.circle(picture, point.tolist(), radius, (250, 250, 250), -1)
    crop = crops.scale_and_crop(picture, scale, np.array([400.0, 350.0]))
    side = 448
    cut = picture_run.cut_out(picture, crop.place, side)
    expected = (point * crop.scale - crop.start) * side / 224
    found = np.argwhere(cut[..., 0] > 150).mean(axis=0)[::-1]
    # Resizing moves by up to half a pixel of the crop, which is one of the panel.
    np.testing.assert_allclose(found, expected, atol=1.5)


@pytest.mark.parametrize("size", [(40000, 40), (40, 40000), (300000, 30), (3, 50000), (50000, 1)])
def test_pictures_longer_than_opencv_warps_are_cut_first(size):
    """32766 pixels are its limit."""
    width, height = size
    point = np.array([width * 9 // 10, height // 2])
    picture = np.full((height, width, 3), 40, np.uint8)
    picture[point[1], point[0]] = 250
    for box in ([*(point - 8), 20, 12], [0, 0, *size]):
        crop = crops.crop_box(picture, np.array(box, float))
        cut = picture_run.cut_out(picture, crop.place, 448)
        assert cut.shape == (448, 448, 3)
    small = crops.crop_box(picture, np.array([*(point - 8), 20, 12], float))
    cut = picture_run.cut_out(picture, small.place, 448)[..., 0].astype(float)
    expected = ((point + 0.5) * small.scale - small.start) * 2
    bright = np.argwhere(cut > 120).mean(axis=0)[::-1]
    along = int(width < height)
    assert abs(bright[along] - expected[along]) < small.scale[along] * 2


def test_the_panel_is_that_of_the_originals_demo(rng):
    crop = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    mesh = octahedron([0.1, 0, 0], 0.5)
    cam = np.array([0.9, 0.2, 0.0])
    panel = overlay.six_views(crop, mesh, np.full((14, 2), 9.0), cam, FACES)
    views = [panel[y : y + 64, x : x + 64] for y in (0, 64) for x in (0, 64, 128)]
    np.testing.assert_array_equal(views[0], crop)
    np.testing.assert_array_equal(views[1], overlay.draw_skeleton(crop, np.full((14, 2), 9.0)))
    np.testing.assert_array_equal(views[2], overlay.draw_mesh(crop, mesh, cam, FACES))
    for view, degrees in zip(views[3:], (0, 60, -60), strict=True):
        np.testing.assert_array_equal(view, overlay.draw_side(mesh, cam, FACES, 64, degrees))


def test_the_nearer_body_is_drawn_over_the_farther():
    place = crops.CropPlace(np.ones(2), np.zeros(2), 224)
    size, focal = (224, 224), 500.0

    def body(person, scale):
        theta = np.zeros(85, np.float32)
        theta[0] = scale
        sighting = bodies.Sighting(person, np.zeros(4), 1.0, place, theta)
        camera = sighting.camera
        nothing = np.zeros(0)
        return bodies.Body(
            sighting,
            octahedron([0, 0, 0], 0.3),
            nothing,
            nothing,
            nothing,
            nothing,
            camera,
            camera.perspective(size, focal),
        )

    order = bodies.to_draw([body(0, 1.2), body(1, 0.4), body(2, 0.8)])
    assert [color for _, _, color in order] == [bodies.PERSON_COLORS[k] for k in (1, 2, 0)]


@pytest.mark.parametrize("cam", [np.nan, np.inf, 0.0])
def test_a_body_that_cannot_be_drawn_is_named(cam):
    theta = np.zeros(85, np.float32)
    theta[0] = cam
    crop = crops.crop_whole_picture(np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(ValueError, match="a.jpg: the network sees no body here"):
        bodies.see(0, np.zeros(4), 1.0, crop, theta, "a.jpg")
