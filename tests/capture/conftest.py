"""A predictor whose network is a few lines: it finds what is bright, and puts the body there."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2.predictor import Predictor
from hmr_tf2.smpl import SMPL, mean_theta
from hmr_tf2.smpl.rig import load_rig
from hmr_tf2.theta import decode_theta

IMG_SIZE = 224


@pytest.fixture(scope="session")
def spotter(small_smpl_path):
    """Bodies of 120 vertices, upright, as tall as the bright spot of the crop and where it is.

    Of a dark crop its camera has no scale, as a network's may that sees nobody.
    """
    smpl = SMPL(str(small_smpl_path))
    mean = mean_theta(str(small_smpl_path)).astype(np.float32)
    joints = np.asarray(decode_theta(smpl, tf.constant(mean), IMG_SIZE)["joints3d"])[0, :, :2]
    low, high = joints.min(axis=0), joints.max(axis=0)

    def network(images):
        thetas = np.repeat(mean, len(images), axis=0)
        for theta, image in zip(thetas, images.numpy(), strict=True):
            rows, columns = np.nonzero(image.mean(axis=-1) > 0.5)
            if not len(rows):
                theta[0] = 0.0
                continue
            theta[0] = np.ptp(rows) / (IMG_SIZE / 2) / (high - low)[1]
            middle = np.array([columns.min() + columns.max(), rows.min() + rows.max()]) / 2
            theta[1:3] = (middle / (IMG_SIZE / 2) - 1) / theta[0] - (low + high) / 2
        return decode_theta(smpl, tf.constant(thetas), IMG_SIZE)

    return Predictor(
        network,
        lambda theta: decode_theta(smpl, theta, IMG_SIZE),
        load_rig(str(small_smpl_path)),
        IMG_SIZE,
        batch_size=4,
    )


def spot(size, centre, extent=(24, 60)) -> np.ndarray:
    """Grey of (width, height) with a bright rectangle: uint8 [H, W, 3]."""
    picture = np.full((size[1], size[0], 3), 60, np.uint8)
    low = np.round(np.array(centre) - np.array(extent) / 2).astype(int).clip(0)
    high = low + extent
    picture[low[1] : high[1], low[0] : high[0]] = 250
    return picture


@pytest.fixture
def make_spot():
    return spot
