"""A model for prediction from whatever `--load_path` names."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2 import loading, serving
from hmr_tf2.checkpoints import run_folder
from hmr_tf2.smpl.rig import load_rig


def test_the_authors_checkpoint_finds_the_body_beside_it(reference_files, reference):
    model = loading.load_model(str(reference_files(0) / "model.ckpt-667589"))
    assert model.config.smpl_model_path.endswith(loading.SMPL_FILE)
    np.testing.assert_allclose(model.regressor.mean_param, reference.mean_theta(0), rtol=1e-6)


def test_a_checkpoint_without_a_body_asks_for_it(reference_files, tmp_path):
    for path in reference_files(0).glob("model.ckpt*"):
        shutil.copy(path, tmp_path)
    with pytest.raises(ValueError, match="--smpl_model_path is needed"):
        loading.load_model(str(tmp_path / "model.ckpt-667589"))


def test_a_body_can_be_named(reference_files, small_smpl_path):
    model = loading.load_model(str(reference_files(0) / "model.ckpt-667589"), str(small_smpl_path))
    assert model.smpl.v_template.shape[0] == 120


@pytest.fixture(scope="module")
def sources(untrained, save_run, tmp_path_factory):
    """The same weights as a run's folder and as a SavedModel."""
    folder = tmp_path_factory.mktemp("sources")
    export = serving.export(untrained, folder / "export").parent
    return {"run": save_run(untrained, folder / "run"), "export": export}


@pytest.fixture(scope="module")
def predictors(sources):
    return {name: loading.load_predictor(path, batch_size=2) for name, path in sources.items()}


@pytest.fixture
def crops(rng):
    return rng.uniform(-1, 1, (3, 224, 224, 3)).astype(np.float32)


@pytest.mark.parametrize("name", ["run", "export"])
def test_both_sources_give_the_numbers_of_the_model(untrained, predictors, crops, name, smpl_path):
    expected = untrained.predict_on_batch(crops)
    got = predictors[name].predict_crops(crops)
    assert set(got) - {"rotations"} == set(expected)
    for key, value in expected.items():
        np.testing.assert_allclose(got[key], value, rtol=1e-4, atol=1e-4, err_msg=key)
    decoded = predictors[name].bodies_of(expected["theta"])
    assert set(decoded) == set(got)
    for key, value in expected.items():
        np.testing.assert_allclose(decoded[key], value, rtol=1e-4, atol=1e-4, err_msg=key)
    for field, value in load_rig(str(smpl_path))._asdict().items():
        np.testing.assert_array_equal(getattr(predictors[name].rig, field), value)
    assert predictors[name].img_size == 224


def test_an_export_without_a_mesh_asks_for_the_body(smpl_path, untrained, tmp_path, crops):
    module = tf.Module()
    module.weights = untrained.variables
    module.call = tf.function(
        lambda images: untrained(images),
        input_signature=[tf.TensorSpec([None, 224, 224, 3], tf.float32, "images")],
    )
    tf.saved_model.save(module, str(tmp_path), {"predict_crops": module.call})
    with pytest.raises(ValueError, match="without its mesh: .* --smpl_model_path"):
        loading.load_predictor(tmp_path)
    predictor = loading.load_predictor(tmp_path, str(smpl_path))
    out = predictor.predict_crops(crops[:1])
    decoded = predictor.bodies_of(out["theta"])
    np.testing.assert_allclose(decoded["verts"], out["verts"], rtol=1e-4, atol=1e-4)


def test_a_savedmodel_of_another_kind_is_refused(tmp_path):
    module = tf.Module()
    module.identity = tf.function(
        lambda images: {"images": images}, input_signature=[tf.TensorSpec([None, 3], tf.float32)]
    )
    tf.saved_model.save(module, str(tmp_path), {"predict_crops": module.identity})
    with pytest.raises(ValueError, match="not a SavedModel that `hmr_tf2.export` wrote"):
        loading.load_predictor(tmp_path)


def test_no_crops_give_no_bodies(predictors):
    for predictor in predictors.values():
        out = predictor.predict_crops(np.zeros((0, 224, 224, 3), np.float32))
        assert out["verts"].shape == (0, 6890, 3) and out["rotations"].shape == (0, 24, 3, 3)


@pytest.mark.parametrize("content", [b"", b"no protocol buffer"])
def test_a_damaged_export_is_named(tmp_path, content):
    (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ValueError, match=f"{tmp_path} is not a SavedModel .* or it is damaged"):
        loading.load_predictor(tmp_path)


def test_a_folder_of_nothing_is_named(tmp_path):
    with pytest.raises(OSError, match="holds no checkpoint"):
        loading.load_predictor(tmp_path)


def test_the_files_that_decide_are_those_of_the_newest(sources, reference_files):
    tf1 = str(reference_files(0) / "model.ckpt-667589")
    prefix, files = loading.model_files(tf1)
    assert prefix == tf1
    assert {path.name for path in files} >= {
        "model.ckpt-667589.index",
        "model.ckpt-667589.data-00000-of-00001",
        loading.SMPL_FILE,
    }
    prefix, files = loading.model_files(sources["run"])
    assert prefix == str(sources["run"] / "ckpt-1")
    assert {run_folder.FLAGS_FILE, loading.SMPL_FILE} < {path.name for path in files}
    folder, files = loading.model_files(sources["export"])
    assert folder == str(sources["export"] / "1")
    assert {"saved_model.pb", "variables.index"} < {path.name for path in files}
    assert all(path.is_file() for path in files)
