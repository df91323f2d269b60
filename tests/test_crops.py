"""Crops of pictures: the original's arithmetic, and the way back to the picture."""

import cv2
import numpy as np
import pytest

from hmr_tf2 import camera, crops


def reference_crop(picture, scale, center, img_size):
    """Resize, pad by the edge, cut: step by step."""
    height, width = np.floor(np.array(picture.shape[:2]) * scale).astype(int)
    resized = cv2.resize(picture, (int(width), int(height)))
    factor = np.array([width / picture.shape[1], height / picture.shape[0]])
    x, y = np.round(center * factor).astype(int)
    padded = np.pad(resized, ((500, 500), (500, 500), (0, 0)), mode="edge")
    half = img_size // 2
    return padded[y + 500 - half : y + 500 + half, x + 500 - half : x + 500 + half]


@pytest.mark.parametrize("size", [(300, 200), (100, 333), (224, 224), (50, 50)])
def test_whole_picture_is_resized_padded_and_cropped(rng, size):
    picture = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
    crop = crops.crop_whole_picture(picture)
    center = np.round(np.array(size[::-1]) / 2)
    expected = reference_crop(picture, 224 / max(size), center, 224)
    np.testing.assert_array_equal(crop.pixels, expected)
    np.testing.assert_allclose(crop.image, 2 * (expected / 255.0 - 0.5), atol=1e-6)


def test_points_return_to_the_picture(rng):
    picture = rng.integers(0, 255, (480, 640, 3), dtype=np.uint8)
    crop = crops.scale_and_crop(picture, 0.7, np.array([320.0, 200.0]))
    np.testing.assert_allclose(crop.to_picture(np.array([112.0, 112.0])), [320, 200], atol=1.0)
    there = (np.array([100.0, 50.0]) * crop.scale) - crop.start
    np.testing.assert_allclose(crop.to_picture(there), [100, 50])


def marked_picture(width, height, point):
    """Grey with one white dot of 9 pixels."""
    picture = np.full((height, width, 3), 90, np.uint8)
    x, y = point
    picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    return picture


@pytest.mark.parametrize("seed", range(40))
def test_joints_and_mesh_fall_on_the_same_pixels_of_the_picture(seed):
    """For any size, scale and place of the crop, also outside of the picture."""
    rng = np.random.default_rng(seed)
    width, height = rng.integers(20, 900, 2)
    crop = crops.scale_and_crop(
        np.zeros((height, width, 3), np.uint8),
        10 ** rng.uniform(-1.2, 1.0),
        rng.uniform(-0.5, 1.5, 2) * [width, height],
    )
    sign = -1 if seed % 10 == 9 else 1  # as of a network before training
    cam = np.array([sign * rng.uniform(0.3, 2), *rng.uniform(-1, 1, 2)], np.float32)
    points = rng.normal(0, 0.5, (19, 3)).astype(np.float32)
    crop_points = camera.batch_orth_proj_idrot(points[np.newaxis], cam[np.newaxis])
    joints = camera.crop_to_pixels(crop_points, 224)[0]
    seen = crop.to_picture(joints)
    view = crop.picture_camera(cam)
    pixel = 1 / crop.scale.min()  # of the crop, in pixels of the picture
    np.testing.assert_allclose(view.project(points), seen, atol=1e-3 * max(1, pixel))
    np.testing.assert_allclose(crop.cam_of(view), cam, rtol=1e-5, atol=1e-6)
    flat = points * [1, 1, 0]
    pinhole = view.perspective((width, height), 700.0)
    np.testing.assert_allclose(pinhole.project(flat), view.project(flat), rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_perspective_camera_agrees_at_the_depth_of_the_origin(seed):
    rng = np.random.default_rng(seed)
    crop = crops.scale_and_crop(np.zeros((333, 517, 3), np.uint8), 0.37, np.array([400, 90]))
    view = crop.picture_camera(np.array([0.8, 0.1, -0.2]))
    pinhole = view.perspective((517, 333), 1100.0)
    flat = rng.normal(0, 0.5, (10, 3)) * [1, 1, 0]
    np.testing.assert_allclose(pinhole.project(flat), view.project(flat), atol=1e-9)
    near = flat - [0, 0, 0.3]
    assert (pinhole.project(near) != view.project(near)).all()


def test_the_whole_picture_is_seen_with_the_focal_length_of_the_original():
    """500 pixels for a crop of 224, tz = 500 / (112 s) (src/util/renderer.py, get_original)."""
    crop = crops.crop_whole_picture(np.zeros((448, 448, 3), np.uint8))
    pinhole = crop.picture_camera(np.array([0.9, 0.1, -0.2])).perspective((448, 448), 1000.0)
    np.testing.assert_allclose(pinhole.translation, [0.1, -0.2, 500 / (112 * 0.9)])


@pytest.mark.parametrize("seed", range(8))
def test_a_box_is_scaled_to_the_originals_size_and_centred(seed):
    rng = np.random.default_rng(seed)
    box = rng.uniform([0, 0, 20, 20], [300, 200, 300, 300])
    crop = crops.crop_box(np.zeros((480, 640, 3), np.uint8), box)
    corners = np.array([box[:2], box[:2] + box[2:]])
    on_crop = corners * crop.scale - crop.start
    assert np.linalg.norm(on_crop[1] - on_crop[0]) == pytest.approx(150, rel=0.01)
    np.testing.assert_allclose(on_crop.mean(axis=0), [112, 112], atol=1.5)


def test_a_small_person_in_a_large_picture_needs_no_larger_picture():
    """Enlarged as a whole it would fill gigabytes; what is cut shows the same place."""
    picture = marked_picture(5000, 4000, (3210, 2345))
    crop = crops.crop_box(picture, np.array([3205, 2340, 12, 9]))
    y, x = np.argwhere(crop.image[..., 0] > 0.9).mean(axis=0)
    # OpenCV's resize puts pixel centres at halves: half a pixel less one of the crop's.
    np.testing.assert_allclose(crop.to_picture(np.array([x, y])), [3210, 2345], atol=0.6)


def test_parts_and_whole_give_the_same_crop(rng, monkeypatch):
    picture = cv2.GaussianBlur(rng.integers(0, 255, (300, 400, 3), dtype=np.uint8), (9, 9), 3)
    whole = crops.scale_and_crop(picture, 3.0, np.array([150.0, 120.0]))
    monkeypatch.setattr(crops, "MAX_RESIZED_PX", 1000)
    part = crops.scale_and_crop(picture, 3.0, np.array([150.0, 120.0]))
    np.testing.assert_allclose(part.start / part.scale, whole.start / whole.scale, atol=0.5)
    assert np.abs(part.image - whole.image).max() < 0.05


@pytest.mark.parametrize(
    "box, reason",
    [
        ([5, 5, 0, 9], "is empty"),
        ([5, 5, 9, -1], "is empty"),
        ([np.nan, 5, 9, 9], "is empty"),
        ([64, 0, 9, 9], "outside the picture of 64 x 48"),
        ([-9, 0, 9, 9], "outside"),
    ],
)
def test_boxes_without_a_person_are_refused(box, reason):
    with pytest.raises(ValueError, match=reason):
        crops.crop_box(np.zeros((48, 64, 3), np.uint8), np.array(box, float))


def test_a_person_at_the_border_is_padded_by_the_edge():
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[:, :50] = 255
    crop = crops.crop_box(picture, np.array([-20.0, 10.0, 60.0, 80.0]))
    assert (crop.image[:, :100] == 1).all()
    np.testing.assert_allclose(crop.to_picture(np.array([112.0, 112.0])), [10, 50], atol=1)
