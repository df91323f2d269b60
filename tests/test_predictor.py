"""Crops of pictures: the original's arithmetic, and the way back to the picture."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf2 import predictor


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
    crop = predictor.crop_whole_picture(picture)
    center = np.round(np.array(size[::-1]) / 2)
    expected = reference_crop(picture, 224 / max(size), center, 224)
    np.testing.assert_array_equal(crop.pixels, expected)
    np.testing.assert_allclose(crop.image, 2 * (expected / 255.0 - 0.5), atol=1e-6)


def test_points_return_to_the_picture(rng):
    picture = rng.integers(0, 255, (480, 640, 3), dtype=np.uint8)
    crop = predictor.scale_and_crop(picture, 0.7, np.array([320.0, 200.0]))
    np.testing.assert_allclose(crop.to_picture(np.array([112.0, 112.0])), [320, 200], atol=1.0)
    there = (np.array([100.0, 50.0]) * crop.scale) - crop.start
    np.testing.assert_allclose(crop.to_picture(there), [100, 50])


def test_pictures_are_read_as_rgb(tmp_path):
    path = tmp_path / "red.png"
    cv2.imwrite(str(path), np.full((4, 5, 3), (0, 0, 255), np.uint8))
    assert predictor.read_picture(path)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_file_that_is_no_picture_is_named(tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="broken.jpg is not a picture"):
        predictor.read_picture(path)


@pytest.fixture
def counting():
    """A predictor of one number a crop, and the sizes of the batches its network was given."""
    sizes = []

    def network(images):
        sizes.append(len(images))
        theta = tf.repeat(images[:, 0, 0, :1], 85, axis=1)
        return {"theta": theta, "cams": theta[:, :3]}

    return predictor.Predictor(network, rig=None, img_size=8, batch_size=4), sizes


@pytest.mark.parametrize(
    "count, batches", [(0, [0]), (1, [1]), (4, [4]), (9, [4, 4, 1])]
)
def test_crops_are_predicted_in_batches_without_padding(counting, rng, count, batches):
    predict, sizes = counting
    images = rng.uniform(-1, 1, (count, 8, 8, 3)).astype(np.float32)
    out = predict.predict_crops(images)
    assert sizes == batches
    np.testing.assert_array_equal(out["cams"], np.repeat(images[:, 0, 0, :1], 3, axis=1))
    assert out["rotations"].shape == (count, 24, 3, 3)


def test_rotations_are_those_of_theta(counting, rng):
    predict, _ = counting
    images = rng.uniform(-1, 1, (2, 8, 8, 3)).astype(np.float32)
    out = predict.predict_crops(images)
    expected = Rotation.from_rotvec(out["theta"][:, 3:75].reshape(-1, 3)).as_matrix()
    np.testing.assert_allclose(out["rotations"].reshape(-1, 3, 3), expected, atol=1e-6)


def test_crops_of_another_size_are_refused(counting):
    with pytest.raises(ValueError, match=r"must be \[N, 8, 8, 3\]; got \[1, 9, 9, 3\]"):
        counting[0].predict_crops(np.zeros((1, 9, 9, 3)))


def test_an_export_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no SavedModel"):
        predictor.load_export(tmp_path)
