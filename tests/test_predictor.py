"""Crops through a network in batches."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf2 import predictor


@pytest.fixture
def counting():
    """A predictor of one number a crop, and the sizes of the batches its network was given."""
    sizes = []

    def network(images):
        sizes.append(len(images))
        theta = tf.repeat(images[:, 0, 0, :1], 85, axis=1)
        return {"theta": theta, "cams": theta[:, :3]}

    return predictor.CropPredictor(network, None, img_size=8, batch_size=4), sizes


@pytest.mark.parametrize("count, batches", [(0, [1]), (1, [1]), (4, [4]), (9, [4, 4, 1])])
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
