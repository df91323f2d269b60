"""A model for prediction from whatever `--load_path` names."""

import dataclasses
import pickle
import shutil

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2 import (
    HMR,
    HMRConfig,
    add_keypoints,
    client,
    demo,
    evaluate,
    export,
    flagfiles,
    loading,
    replay,
    serving,
)
from hmr_tf2.checkpoints import run_folder
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.hmr.system import HMR_SYSTEM
from hmr_tf2.smpl import load_smpl_file
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


@pytest.fixture(scope="module")
def two_files(small_smpl_path, tmp_path_factory):
    """SMPL's own file of 120 vertices, the mean beside it, and the file of its keypoints."""
    folder = tmp_path_factory.mktemp("two files")
    body = dict(load_smpl_file(small_smpl_path))
    np.save(folder / "keypoints.npy", body.pop("cocoplus_regressor").toarray())
    (folder / "SMPL_NEUTRAL.pkl").write_bytes(pickle.dumps(body, 2))
    shutil.copy(small_smpl_path.with_name("neutral_smpl_mean_params.h5"), folder)
    return {
        "smpl_model_path": str(folder / "SMPL_NEUTRAL.pkl"),
        "keypoint_regressor": str(folder / "keypoints.npy"),
    }


@pytest.fixture(scope="module")
def of_two_files(two_files, small_smpl_path, save_run, tmp_path_factory):
    """The folder of a run with such a body, and its model."""
    model = HMR(HMRConfig(**two_files, model_type="small_resnet_fc3_dropout", encoder_only=True))
    model.compile()
    return save_run(model, tmp_path_factory.mktemp("runs") / "run"), model


def test_a_run_keeps_the_file_of_its_keypoints(of_two_files, two_files, small_smpl_path, crops):
    run, model = of_two_files
    loaded = loading.load_model(str(run))
    assert loaded.config.keypoint_regressor == two_files["keypoint_regressor"]
    for key, value in loaded.predict_on_batch(crops).items():
        np.testing.assert_array_equal(value, model.predict_on_batch(crops)[key], err_msg=key)
    predictor = loading.load_predictor(run, batch_size=2)
    joints = predictor.predict_crops(crops)["joints3d"]
    np.testing.assert_allclose(joints, model.predict_on_batch(crops)["joints3d"], atol=1e-4)
    # The authors' form of the same body, in one file, gives the same.
    whole = loading.load_model(str(run), str(small_smpl_path), str(small_smpl_path))
    theta = model.predict_on_batch(crops)["theta"]
    both = (m.smpl.keypoints(theta[:, 75:], theta[:, 3:75]) for m in (model, whole))
    np.testing.assert_array_equal(*both)


def test_the_file_of_the_keypoints_is_one_that_predictions_depend_on(of_two_files, two_files):
    run, _ = of_two_files
    files = [str(path) for path in loading.model_files(run)[1]]
    assert set(two_files.values()) <= set(files)
    files = loading.model_files(run, keypoint_regressor="other.npy")[1]
    assert "other.npy" in map(str, files)
    assert two_files["keypoint_regressor"] not in map(str, files)


def test_a_training_run_hashes_and_keeps_the_file_of_its_keypoints(two_files, tmp_path):
    config = TrainConfig(**two_files)
    assert two_files["keypoint_regressor"] in map(str, HMR_SYSTEM.input_files(config))
    plain = dataclasses.replace(config, keypoint_regressor=None)
    assert len(HMR_SYSTEM.input_files(plain)) == 2
    path = tmp_path / "flags.cfg"
    path.write_text(flagfiles.as_flagfile(config))
    assert TrainConfig(**flagfiles.read_flagfile(path, TrainConfig)) == config
    assert "keypoint_regressor" not in flagfiles.as_flagfile(plain)


@pytest.mark.slow
def test_an_export_of_such_a_run_needs_neither_file(of_two_files, crops, tmp_path):
    run, model = of_two_files
    folder = serving.export(loading.load_model(str(run)), tmp_path / "export")
    got = loading.load_predictor(folder, batch_size=2).predict_crops(crops)
    want = model.predict_on_batch(crops)
    for key in ("verts", "joints3d"):
        np.testing.assert_allclose(got[key], want[key], atol=1e-4)


def test_a_body_without_keypoints_leads_to_the_flag(two_files):
    with pytest.raises(ValueError, match="lacks cocoplus_regressor; .*--keypoint_regressor=FILE"):
        HMR(HMRConfig(smpl_model_path=two_files["smpl_model_path"]))


def test_every_command_that_takes_a_body_takes_its_keypoints():
    for settings in (
        TrainConfig,
        evaluate.EvaluateSettings,
        demo.DemoSettings,
        export.ExportSettings,
        client.ClientSettings,
        replay.ReplaySettings,
        add_keypoints.AddKeypointsSettings,
    ):
        names = {field.name for field in dataclasses.fields(settings)}
        assert {"smpl_model_path", "keypoint_regressor"} <= names, settings
