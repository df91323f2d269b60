"""Runs on raw samples as the real ones lie on disk: convert, train, continue, export, predict."""

import dataclasses
import functools
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2 import HMR, crops, flagfiles, loading, pictures, serving, training
from hmr_tf2.checkpoints import run_folder, weights
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.hmr.system import HMR_SYSTEM
from hmr_tf2.training import history, provenance

train = functools.partial(training.train, system=HMR_SYSTEM)

RAW = pathlib.Path(__file__).parents[1] / "samples" / "raw"


@pytest.fixture
def config(small_config, tmp_path):
    """A run of one step."""
    return dataclasses.replace(
        small_config, model_dir=str(tmp_path / "run"), steps_per_epoch=1, epoch=1
    )


def weights_of(model_dir):
    """Every value in the newest checkpoint, by its key."""
    reader = tf.train.load_checkpoint(str(model_dir))
    return {
        key: reader.get_tensor(key)
        for key in reader.get_variable_to_shape_map()
        if key.endswith("VARIABLE_VALUE") and "save_counter" not in key
    }


@pytest.fixture(scope="module")
def finished(small_config, tmp_path_factory):
    """A run of ten steps, and the settings it had."""
    folder = tmp_path_factory.mktemp("run")
    config = dataclasses.replace(
        small_config, model_dir=str(folder), steps_per_epoch=5, epoch=2, log_img_step=5
    )
    return config, train(config)


def test_ten_steps_leave_checkpoint_flags_and_losses(finished):
    config, summary = finished
    assert (summary.start_step, summary.end_step) == (0, 10)
    assert summary.checkpoint.endswith("ckpt-10")
    assert all(np.isfinite(value) for value in summary.losses.values())
    written = flagfiles.read_flagfile(pathlib.Path(config.model_dir, "flags.cfg"), TrainConfig)
    assert TrainConfig(**written) == config


def test_a_run_leaves_all_there_is_to_know_in_its_folder(finished):
    config, summary = finished
    folder = pathlib.Path(config.model_dir)
    scalars = history.read_scalars(folder)
    assert [step for step, _ in scalars["loss/e_loss"]] == list(range(1, 11))
    assert scalars["loss/e_loss"][-1][1] == pytest.approx(summary.losses["e_loss"], rel=1e-6)
    assert {"speed/input_wait_share", "learning_rate/d_lr"} < set(scalars)
    assert history.read_pictures(folder)["vis_images/0"][0][0] == 1
    (session,) = provenance.read_provenance(folder)
    assert session["flags"]["batch_size"] == 2 and len(session["data"]["manifests"]) == 5
    assert "step 10 of 10: e_loss" in (folder / "train.log").read_text()


def test_the_run_exports_and_predicts_a_picture(finished, load_export, tmp_path):
    config, _ = finished
    model = loading.load_model(config.model_dir)
    folder = serving.export(model, tmp_path)
    picture = pictures.read_picture(RAW / "lsp_dataset" / "images" / "im0001.jpg")
    crop = crops.crop_whole_picture(picture).image[np.newaxis]
    out = load_export(folder)(crop)
    assert {name: value.shape for name, value in out.items()} == {
        "verts": (1, 120, 3),
        "joints": (1, 19, 2),
        "cams": (1, 3),
        "joints3d": (1, 19, 3),
        "theta": (1, 85),
        "rotations": (1, 24, 3, 3),
        "valid": (1,),
    }
    assert all(np.isfinite(value).all() for value in out.values())


def test_a_finished_run_is_left_alone(finished):
    config, _ = finished
    before = weights_of(config.model_dir)
    summary = train(config)
    assert (summary.start_step, summary.end_step) == (10, 10)
    for key, value in weights_of(config.model_dir).items():
        np.testing.assert_array_equal(value, before[key], err_msg=key)


@pytest.mark.slow
def test_a_run_continues_where_it_stopped(small_config, tmp_path):
    """Stopped inside the second epoch, then continued by the same command.

    What the steps after it see is proved elsewhere: batches, in test_pipeline.py, and dropout, in
    test_hmr.py, are functions of the step alone.
    """
    config = dataclasses.replace(
        small_config, model_dir=str(tmp_path / "run"), steps_per_epoch=3, epoch=2
    )
    train(dataclasses.replace(config, epoch=1, steps_per_epoch=4))
    stopped = weights_of(config.model_dir)
    model = HMR(config)
    model.compile()
    model.build_optimizers()
    run_folder.restore(model, config.model_dir)
    assert model.optimizer.iterations.numpy() == model.d_optimizer.iterations.numpy() == 4
    copy = run_folder.training_state(model).write(config.model_dir + "/copy")
    restored = weights_of(copy)
    assert restored.keys() == stopped.keys() and len(restored) > 150
    for key, value in restored.items():
        np.testing.assert_array_equal(value, stopped[key], err_msg=key)
    continued = train(dataclasses.replace(config, accept_changes=True))
    assert (continued.start_step, continued.end_step) == (4, 6)
    assert continued.checkpoint.endswith("ckpt-6")


@pytest.mark.slow
def test_load_path_takes_the_authors_checkpoint(config, reference_files):
    start = dataclasses.replace(
        config,
        model_type="resnet_fc3_dropout",
        load_path=str(reference_files(0) / "model.ckpt-667589"),
    )
    assert train(start).start_step == 0
    key = "regressor/out/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    moved = weights_of(config.model_dir)[key]
    reader = tf.train.load_checkpoint(str(reference_files(0) / "model.ckpt-667589"))
    # One step of Adam moves a weight by the learning rate.
    np.testing.assert_allclose(
        moved, reader.get_tensor("3D_module/fc3/weights"), atol=1.01 * config.e_lr
    )


@pytest.fixture
def encoder_only(config, tmp_path):
    """A TF 1 checkpoint that holds an image encoder alone."""
    slots = weights.slim_slots([HMR(config).encoder])
    prefix = str(tmp_path / "encoder.ckpt")
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(slots),
        shape_and_slices=[""] * len(slots),
        tensors=[slot.variable for slot in slots.values()],
    )
    return prefix


def test_load_path_refuses_an_encoder_and_says_where_it_belongs(config, encoder_only):
    with pytest.raises(ValueError, match="pass it as --pretrained_model_path"):
        train(dataclasses.replace(config, load_path=encoder_only))


def test_pretrained_model_path_starts_from_an_encoder(config, encoder_only):
    summary = train(dataclasses.replace(config, pretrained_model_path=encoder_only, seed=5))
    assert summary.end_step == 1
    model = loading.load_model(config.model_dir)
    reader = tf.train.load_checkpoint(encoder_only)
    for name, slot in weights.slim_slots([model.encoder]).items():
        if name.endswith("/weights"):  # which one step of Adam moves by the learning rate
            moved = np.abs(slot.variable - reader.get_tensor(name)).max()
            assert 0 < moved < 1.01 * config.e_lr, name


def test_a_run_of_other_settings_is_not_loaded_by_halves(finished, config):
    with pytest.raises(ValueError, match="does not fit the model.*\n.*encoder_only"):
        train(
            dataclasses.replace(
                config,
                load_path=finished[0].model_dir,
                encoder_only=False,
                num_stage=3,
                joint_type="lsp",
                model_dir=_without_regressor(finished[0].model_dir, config),
            )
        )


def _without_regressor(source, config):
    """A run's folder whose checkpoint lacks the regressor."""
    folder = pathlib.Path(config.model_dir)
    folder.mkdir()
    reader = tf.train.Checkpoint(encoder=tf.Module())
    reader.save(str(folder / "ckpt"))
    return str(folder)


def test_a_damaged_checkpoint_is_named(finished, config, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(finished[0].model_dir, broken)
    for data in broken.glob("ckpt-*.data*"):
        data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(ValueError, match="ckpt-10 is damaged, .*another --model_dir"):
        train(dataclasses.replace(config, model_dir=str(broken)))


def test_a_folder_without_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no checkpoint of a training run"):
        run_folder.checkpoint_prefix(tmp_path)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run(small_config, tmp_path):
    config = dataclasses.replace(small_config, model_dir=str(tmp_path / "run"))
    with pytest.raises(FloatingPointError, match="in step 2.*\n.*checkpoint: none yet"):
        train(dataclasses.replace(config, e_lr=1e30))
    assert run_folder.latest_checkpoint(config.model_dir) is None
