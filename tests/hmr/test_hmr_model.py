"""The model's modes: what enters the losses, what is trained, what is repeatable."""

import inspect

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hmr_tf2 import HMR, HMRConfig

DROPOUT_LAYERS = 2


def make(path, **settings):
    keras.utils.set_random_seed(0)
    settings = {"model_type": "small_resnet_fc3_dropout", "batch_size": 2, **settings}
    model = HMR(HMRConfig(smpl_model_path=str(path), **settings))
    model.compile()
    return model


def losses_of(model, batch):
    _, logs = model.compute_losses({name: tf.constant(value) for name, value in batch.items()})
    return {name: float(value) for name, value in logs.items()}


@pytest.fixture
def batch(reference):
    return reference.batch(3, 2)


def test_encoder_only_has_no_discriminator_and_no_adversarial_loss(small_smpl_path, reference):
    batch = reference.batch(3, 2)
    del batch["mocap_pose"], batch["mocap_shape"]
    model = make(small_smpl_path, encoder_only=True, dropout_rate=0.0)
    logs = losses_of(model, batch)
    assert set(logs) == {
        "e_loss",
        "e_loss_kp",
        "e_loss_3d",
        "e_loss_3d_joints",
        "kp_loss_stage0",
        "kp_loss_stage1",
        "kp_loss_stage2",
    }
    assert logs["e_loss"] == pytest.approx(
        logs["e_loss_kp"] + logs["e_loss_3d"] + logs["e_loss_3d_joints"], rel=1e-5
    )
    assert model.discriminator is None and model.d_optimizer is None


def test_without_3d_labels_their_losses_vanish(small_smpl_path, batch):
    del batch["label3d"], batch["has3d"]
    logs = losses_of(make(small_smpl_path, use_3d_label=False, dropout_rate=0.0), batch)
    assert logs["e_loss"] == pytest.approx(logs["e_loss_kp"] + logs["e_loss_disc"], rel=1e-5)


def test_KEEP_weight_decay_enters_no_loss(small_smpl_path, batch):
    a = losses_of(make(small_smpl_path, dropout_rate=0.0), batch)
    b = losses_of(make(small_smpl_path, dropout_rate=0.0, e_wd=1.0, d_wd=1.0), batch)
    assert a == b


def test_KEEP_only_the_last_stage_enters_the_keypoint_loss(small_smpl_path, batch):
    logs = losses_of(make(small_smpl_path, dropout_rate=0.0), batch)
    assert logs["e_loss_kp"] == pytest.approx(60 * logs["kp_loss_stage2"], rel=1e-5)
    assert logs["kp_loss_stage1"] != logs["kp_loss_stage2"]


@pytest.mark.parametrize("num_stage", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_any_number_of_stages(small_smpl_path, reference, num_stage):
    model = make(small_smpl_path, num_stage=num_stage)
    logs = model.train_on_batch(reference.batch(3, 2, num_stage=num_stage), return_dict=True)
    assert sum(name.startswith("kp_loss_stage") for name in logs) == num_stage
    assert all(np.isfinite(value) for value in logs.values())


def test_one_step_moves_every_trainable_variable_once(small_smpl_path, batch):
    model = make(small_smpl_path)
    before = [v.numpy() for v in model.trainable_variables]
    model.train_on_batch(batch)
    moved = [
        (b != v.numpy()).any() for b, v in zip(before, model.trainable_variables, strict=True)
    ]
    assert all(moved)
    assert model.optimizer.iterations.numpy() == model.d_optimizer.iterations.numpy() == 1


def test_encoder_loss_does_not_train_the_discriminator(small_smpl_path, batch):
    """With d_loss_weight 0 the discriminator's gradient vanishes; e_loss must not replace it."""
    model = make(small_smpl_path, d_loss_weight=0.0)
    before = [v.numpy() for v in model.discriminator.trainable_variables]
    model.train_on_batch(batch)
    for b, v in zip(before, model.discriminator.trainable_variables, strict=True):
        np.testing.assert_array_equal(b, v)


def test_dropout_differs_between_stages_and_steps_and_repeats_by_seed(untrained):
    features = tf.ones([1, untrained.encoder.output_shape[-1]])

    def corrections(seed):
        stages = untrained.regressor(features, training=True, seed=tf.constant(seed))
        return np.stack(stages)

    np.testing.assert_array_equal(corrections([1, 5]), corrections([1, 5]))
    assert (corrections([1, 5]) != corrections([1, 6])).any()
    assert (corrections([1, 5]) != corrections([2, 5])).any()


def test_dropout_drops_half_and_doubles_the_rest(small_smpl_path):
    model = make(small_smpl_path, num_stage=1)
    kernel = np.zeros(model.regressor.hidden[0].kernel.shape, np.float32)
    kernel[0] = 1.0
    for dense, weights in zip(
        model.regressor.hidden, (kernel, np.eye(1024, dtype=np.float32)), strict=True
    ):
        dense.kernel.assign(weights)
    out = np.zeros((1024, 85), np.float32)
    out[:, 0] = 1.0
    model.regressor.out.kernel.assign(out)
    features = tf.one_hot([0] * 50, model.encoder.output_shape[-1])
    theta = model.regressor(features, training=True, seed=tf.constant([3, 4]))[0]
    kept = (theta[:, 0] - model.regressor.mean_param[0, 0]).numpy()
    # Each unit passes both masks with probability 1/4 and is then scaled by 4.
    assert np.allclose(kept % 4, 0, atol=1e-2)
    assert kept.mean() == pytest.approx(1024, rel=0.05)
    sure = model.regressor(features)[0]
    np.testing.assert_allclose(sure[:, 0] - model.regressor.mean_param[0, 0], 1024, rtol=1e-5)


def test_training_follows_a_number_of_rows_other_than_the_batch_size(small_smpl_path, reference):
    model = make(small_smpl_path)
    for rows in (2, 3):
        logs = model.train_on_batch(reference.batch(1, rows), return_dict=True)
        assert np.isfinite(logs["e_loss"])


def test_train_on_batch_refuses_what_it_would_ignore(untrained, batch):
    with pytest.raises(ValueError, match="one dict of arrays; got also .*'y'"):
        untrained.train_on_batch(batch, y=np.zeros(2))


def test_an_uncompiled_model_says_so(small_smpl_path, batch):
    model = HMR(HMRConfig(smpl_model_path=str(small_smpl_path)))
    with pytest.raises(RuntimeError, match="compile"):
        model.train_on_batch(batch)


def test_the_small_encoder_tells_where_things_are(small_smpl_path, batch):
    model = make(small_smpl_path)
    assert np.isfinite(model.train_on_batch(batch, return_dict=True)["e_loss"])
    images = np.zeros([2, 224, 224, 3], np.float32)
    images[0, :32, :32] = images[1, -32:, -32:] = 1.0
    changed = np.abs(model.encoder(images) - model.encoder(np.zeros([1, 224, 224, 3]))) > 1e-6
    first, last = changed.reshape(2, 7, 7, 32).any(-1)
    assert first[:2, :2].any() and not first[5:, 5:].any()
    assert last[5:, 5:].any() and not last[:2, :2].any()


def test_lsp_joints_are_trained_on_the_first_fourteen_labels(small_smpl_path, batch):
    both = [
        make(small_smpl_path, dropout_rate=0.0, **settings)
        for settings in ({"joint_type": "lsp"}, {})
    ]
    batch["label"][:, 14:] = 0.0
    lsp, cocoplus = (losses_of(model, batch)["e_loss_kp"] for model in both)
    assert lsp == pytest.approx(cocoplus, rel=1e-4)


def test_AutoGraph_rewrites_neither_Keras_nor_the_model(small_smpl_path, batch, monkeypatch):
    model = make(small_smpl_path)
    callers = []
    original = model.encoder.call

    def spy(*args, **kwargs):
        callers.append([frame.filename for frame in inspect.stack(context=0)])
        return original(*args, **kwargs)

    monkeypatch.setattr(model.encoder, "call", spy)
    model.train_on_batch(batch)
    model.predict(batch["image"], verbose=0)
    model(batch["image"])
    assert len(callers) == 3
    for files in callers:
        # From the encoder up to where Keras enters the model nothing has been rewritten.
        step = next(i for i, file in enumerate(files) if file.endswith("trained_model.py"))
        assert not any("__autograph_generated" in file for file in files[: step + 1])
