"""What version 0.1.0 left behind loads: a run, an export and records, with the numbers it gave.

`samples/run_of_0_1_0.tar.xz` was written by 0.1.0 (revision 46b956e): records of the raw samples,
a run of two steps on them with the small encoder, and an export. Its weights are periodic numbers,
which pack well. `expected.npz` holds what 0.1.0 then predicted for two pictures, and the losses of
the two steps that follow.
"""

import dataclasses
import pathlib
import shutil
import tarfile

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hmr_tf2 import flagfiles, loading, training
from hmr_tf2.checkpoints import run_folder
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.hmr.system import HMR_SYSTEM
from hmr_tf2.training import provenance
from hmr_tf2.training.run import compiled_model
from tfrecords_tools.verification import verify

ARCHIVE = pathlib.Path(__file__).parent / "samples" / "run_of_0_1_0.tar.xz"


@pytest.fixture(scope="module")
def before(tmp_path_factory, small_smpl_path):
    """The folder that 0.1.0 worked in, with the body beside it."""
    folder = tmp_path_factory.mktemp("before")
    # Python 3.11.2, which Debian 12 has, knows no filter; newer ones warn or ask for one.
    options = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, **options)
    (folder / "models").mkdir()
    shutil.copy(small_smpl_path, folder / "models" / "neutral_smpl_with_cocoplus_reg.pkl")
    shutil.copy(small_smpl_path.with_name("neutral_smpl_mean_params.h5"), folder / "models")
    return folder


@pytest.fixture(scope="module")
def expected(before):
    with np.load(before / "expected.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def config(before):
    """The run's own settings, with its folders where they are now."""
    settings = flagfiles.read_flagfile(before / "run" / "flags.cfg", TrainConfig)
    settings |= dict(
        smpl_model_path=str(before / settings["smpl_model_path"]),
        data_dir=str(before / settings["data_dir"]),
        model_dir=str(before / settings["model_dir"]),
    )
    return TrainConfig(**settings)


def pictures():
    """Two crops of coarse noise, as 0.1.0 saw them."""
    coarse = np.random.default_rng(0).uniform(-1, 1, (2, 14, 14, 3))
    return np.tile(coarse, (1, 16, 16, 1)).astype(np.float32)


def assert_same_bodies(seen, expected, kind):
    for name in ("theta", "joints", "joints3d", "verts"):
        value = expected[f"{kind}/{name}"]
        scale = np.abs(value).max()
        np.testing.assert_allclose(seen[name], value, atol=1e-5 * scale, err_msg=name)


def test_a_run_predicts_what_it_predicted(before, expected, config):
    predictor = loading.load_predictor(before / "run", config.smpl_model_path)
    assert_same_bodies(predictor.predict_crops(pictures()), expected, "predicted")


def test_an_export_predicts_what_it_predicted(before, expected):
    predictor = loading.load_predictor(before / "export" / "hmr")
    assert_same_bodies(predictor.predict_crops(pictures()), expected, "exported")


def test_a_run_continues_with_its_weights_its_optimisers_and_its_batches(expected, config):
    """The losses of two steps: of the second, the first one's update is a part, slots and all."""
    keras.utils.set_random_seed(config.seed)
    data = HMR_SYSTEM.make_data(config)
    model = compiled_model(config, HMR_SYSTEM, data.steps_per_epoch)
    run_folder.restore(model, config.model_dir)
    assert model.optimizer.iterations == model.d_optimizer.iterations == 2
    batches = iter(data.batches(2))
    for step in (2, 3):
        logs = model.train_on_batch(next(batches), return_dict=True)
        wanted = {n: v for n, v in expected.items() if n.startswith(f"step{step}/")}
        assert {f"step{step}/{name}" for name in logs} == set(wanted)
        for name, value in logs.items():
            np.testing.assert_allclose(value, wanted[f"step{step}/{name}"], rtol=1e-5)


def test_the_command_that_trained_it_goes_on_with_it(config, tmp_path):
    """The same flags, another epoch; its history in run.json stays."""
    shutil.copytree(config.model_dir, tmp_path / "run")
    on = dataclasses.replace(
        config, model_dir=str(tmp_path / "run"), epoch=2, deterministic=False, accept_changes=True
    )
    summary = training.train(on, HMR_SYSTEM)
    assert (summary.start_step, summary.end_step) == (2, 4)
    first, second = provenance.read_provenance(tmp_path / "run")
    assert (first["start_step"], second["start_step"]) == (0, 2)


def test_every_array_of_its_checkpoint_has_a_place(config):
    """No key was renamed: what is saved now has the keys, shapes and types of then."""
    model = compiled_model(config, HMR_SYSTEM, steps_per_epoch=2)
    path = pathlib.Path(config.model_dir).parent / "again"
    run_folder.training_state(model).write(str(path))
    then = tf.train.load_checkpoint(str(pathlib.Path(config.model_dir) / "ckpt-2"))
    again = tf.train.load_checkpoint(str(path))
    ignored = {run_folder.OBJECT_GRAPH_KEY, "save_counter/.ATTRIBUTES/VARIABLE_VALUE"}
    assert {
        name: shape
        for name, shape in again.get_variable_to_shape_map().items()
        if name not in ignored
    } == {
        name: shape
        for name, shape in then.get_variable_to_shape_map().items()
        if name not in ignored
    }


def test_its_records_are_whole(before):
    assert verify(before / "records", workers=1).faults == ()
