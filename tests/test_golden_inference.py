"""Inference equals the original's, through every way out of the model."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2 import HMR, HMRConfig
from hmr_tf2.checkpoints import restore_tf1
from hmr_tf2.theta import split_theta


@pytest.fixture(scope="module")
def model(reference_files):
    folder = reference_files(0)
    model = HMR(HMRConfig(smpl_model_path=str(folder / "neutral_smpl_with_cocoplus_reg.pkl")))
    restore_tf1(model, folder / "model.ckpt-667589")
    return model


@pytest.fixture(scope="module")
def images(golden, reference):
    _, meta = golden("golden_infer_seed0.npz")
    return reference.batch(meta["seed"], meta["n"])["image"]


def test_predict_equals_the_original(model, images, golden):
    expected, _ = golden("golden_infer_seed0.npz")
    out = model.predict(images, verbose=0)
    assert set(out) == {"verts", "joints", "cams", "joints3d", "theta"}
    np.testing.assert_allclose(out["verts"][:, ::50], expected["verts"], atol=1e-4)
    for name in ("joints3d", "cams", "theta"):
        np.testing.assert_allclose(out[name], expected[name], atol=1e-4, err_msg=name)
    np.testing.assert_allclose(out["joints"], expected["joints"], atol=1e-4 * 224)


def test_posed_joints_equal_the_original(model, golden):
    expected, _ = golden("golden_infer_seed0.npz")
    _, pose, shape = split_theta(tf.constant(expected["theta"]))
    np.testing.assert_allclose(
        model.smpl.pose(shape, pose).joints, expected["J_transformed"], atol=1e-4
    )


def test_predict_does_not_depend_on_the_batch(model, images):
    one, padded = (
        model.predict(images[:1], verbose=0),
        model.predict(np.concatenate([images, images[:1]]), batch_size=2, verbose=0),
    )
    for name in one:
        np.testing.assert_allclose(one[name][0], padded[name][-1], rtol=1e-4, atol=1e-4)
