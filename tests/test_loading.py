"""A model for prediction from whatever `--load_path` names."""

import shutil

import numpy as np
import pytest

from hmr_tf2 import loading


def test_the_authors_checkpoint_finds_the_body_beside_it(reference_files, reference):
    model = loading.load_model(str(reference_files(0) / "model.ckpt-667589"))
    assert model.config.smpl_model_path.endswith(loading.SMPL_FILE)
    np.testing.assert_allclose(
        model.regressor.mean_param, reference.mean_theta(0), rtol=1e-6
    )


def test_a_checkpoint_without_a_body_asks_for_it(reference_files, tmp_path):
    for path in reference_files(0).glob("model.ckpt*"):
        shutil.copy(path, tmp_path)
    with pytest.raises(ValueError, match="--smpl_model_path is needed"):
        loading.load_model(str(tmp_path / "model.ckpt-667589"))


def test_a_body_can_be_named(reference_files, small_smpl_path):
    model = loading.load_model(
        str(reference_files(0) / "model.ckpt-667589"), str(small_smpl_path)
    )
    assert model.smpl.v_template.shape[0] == 120
