"""What the flags of optimiser and hardware do to one training step."""

from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hmr_tf2 import HMR, HMRConfig, trained_model
from hmr_tf2.trained_model import kernels


def make(path, compile_with=None, **settings):
    keras.utils.set_random_seed(0)
    model = HMR(
        HMRConfig(
            smpl_model_path=str(path),
            batch_size=2,
            model_type="small_resnet_fc3_dropout",
            e_lr=1e-4,
            d_lr=1e-4,
            **settings,
        )
    )
    model.compile(**(compile_with or {}))
    return model


@pytest.fixture(scope="module")
def batch(reference):
    return reference.batch(3, 2)


@pytest.fixture(scope="module")
def usual(small_smpl_path, batch):
    """A model after one step of Keras' `fit`, and the step's losses."""
    model = make(small_smpl_path)
    model.compute_losses = mock.Mock(wraps=model.compute_losses)
    history = model.fit(tf.data.Dataset.from_tensors(batch), verbose=0).history
    return model, {name: value for name, (value,) in history.items()}


def losses_of(model, batch):
    return model.train_on_batch(batch, return_dict=True)


def gradients_of(model):
    """Of the first step, by Adam's first moments."""
    return {
        v.name.removeprefix("cond_1/"): v.numpy() / 0.1
        for v in model.optimizer.variables()
        if "/m:" in v.name
    }


def assert_close_gradients(model, usual, tolerance):
    got, expected = gradients_of(model), gradients_of(usual)
    assert got.keys() == expected.keys() and len(got) > 30
    whole = np.concatenate([value.ravel() for value in expected.values()])
    apart = np.concatenate([(got[name] - value).ravel() for name, value in expected.items()])
    assert np.linalg.norm(apart) <= tolerance * np.linalg.norm(whole)


def test_fit_traces_the_step_once(usual):
    usual[0].compute_losses.assert_called_once()


def test_a_fixed_order_of_sums_changes_rounding_only(small_smpl_path, batch, usual):
    model = make(small_smpl_path, deterministic=True)
    assert losses_of(model, batch) == pytest.approx(usual[1], rel=1e-5)
    assert_close_gradients(model, usual[0], 1e-4)


@pytest.mark.slow
def test_xla_changes_rounding_only(small_smpl_path, batch):
    """Without dropout, whose random numbers XLA draws otherwise."""
    usual = make(small_smpl_path, dropout_rate=0.0)
    model = make(small_smpl_path, {"jit_compile": True}, dropout_rate=0.0)
    assert losses_of(model, batch) == pytest.approx(losses_of(usual, batch), rel=1e-4)
    assert_close_gradients(model, usual, 1e-3)


@pytest.mark.parametrize(
    "kind, significand",
    [("float16", 2**-11), pytest.param("bfloat16", 2**-8, marks=pytest.mark.slow)],
)
def test_half_precision_rounds_the_encoder_and_leaves_weights_and_losses_float32(
    small_smpl_path, batch, usual, kind, significand
):
    model = make(small_smpl_path, mixed_precision=kind)
    assert {v.dtype for v in model.trainable_variables} == {tf.float32}
    assert {layer.compute_dtype for layer in model.encoder.layers[2:-1]} == {kind}
    _, logs = model.compute_losses({k: tf.constant(v) for k, v in batch.items()})
    assert {value.dtype for value in logs.values()} == {tf.float32}
    stages = model.train_stages(tf.constant(batch["image"]))
    assert stages.body.Rs.dtype == stages.joints3d.dtype == stages.cams.dtype == tf.float32
    got = losses_of(model, batch)
    assert got == pytest.approx(usual[1], rel=10 * significand, abs=1e-3)
    assert got != pytest.approx(usual[1], rel=1e-7)


@pytest.mark.slow
def test_float16_scales_the_loss_and_leaves_out_a_step_that_overflows(small_smpl_path, batch):
    model = make(small_smpl_path, mixed_precision="float16")
    before = model.regressor.mean_param.numpy()
    model.optimizer._loss_scale._current_loss_scale.assign(2.0**60)
    losses_of(model, batch)
    np.testing.assert_array_equal(model.regressor.mean_param, before)
    assert model.optimizer.loss_scale.numpy() == 2.0**59 and model.optimizer.iterations == 1
    model.optimizer._loss_scale._current_loss_scale.assign(64.0)
    losses_of(model, batch)
    assert (model.regressor.mean_param.numpy() != before).any()


@pytest.mark.slow
def test_an_unscaled_gradient_is_that_of_the_loss(small_smpl_path, batch, usual):
    model = make(small_smpl_path, mixed_precision="float16")
    model.optimizer._loss_scale._current_loss_scale.assign(64.0)
    losses_of(model, batch)
    assert_close_gradients(model, usual[0], 0.1)


def test_clipping_scales_all_gradients_to_the_norm(small_smpl_path):
    variables = [tf.Variable([3.0, 0.0]), tf.Variable([[4.0]])]
    optimizer = keras.optimizers.legacy.Adam()
    for clip_norm, factor in ((0.0, 1.0), (2.5, 0.5), (6.0, 1.0)):
        with tf.GradientTape() as tape:
            loss = 0.5 * sum(tf.reduce_sum(v**2) for v in variables)
        got = trained_model.gradients(tape, optimizer, loss, variables, clip_norm)
        for gradient, variable in zip(got, variables, strict=True):
            np.testing.assert_allclose(gradient, factor * variable, rtol=1e-6)


def test_clipping_is_wired_into_the_step(small_smpl_path, batch, usual):
    model = make(small_smpl_path, clip_norm=1e-3)
    losses_of(model, batch)
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients_of(model).values()))
    assert norm == pytest.approx(1e-3, rel=1e-3)


def test_frozen_batch_norms_use_their_averages_and_leave_them(small_smpl_path, batch):
    model = make(small_smpl_path, freeze_bn=True, dropout_rate=0.0)
    averages = [v for v in model.encoder.variables if "moving" in v.name]
    for variable in averages:  # not where every network starts
        variable.assign(variable * 1.5 + 0.1)
    before = [v.numpy() for v in averages]
    images = tf.constant(batch["image"])
    trained = tf.split(model.train_stages(images).cams, model.config.num_stage)[-1]
    np.testing.assert_allclose(trained, model(images)["cams"], rtol=1e-5, atol=1e-6)
    gamma = next(v for v in model.encoder.trainable_variables if "gamma" in v.name)
    gamma_before = gamma.numpy()
    losses_of(model, batch)
    for variable, value in zip(averages, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert (gamma.numpy() != gamma_before).any(), "scales and offsets go on being trained"


def test_weight_decay_adds_half_the_squared_kernels_and_nothing_else(
    small_smpl_path, batch, usual
):
    model = make(small_smpl_path, apply_weight_decay=True, e_wd=0.01, d_wd=0.02)

    def decay(variables, scale):
        chosen = kernels(variables)
        return scale * sum(0.5 * float(tf.reduce_sum(v**2)) for v in chosen)

    e_decay = decay(model.encoder_variables, 0.01)
    d_decay = decay(model.discriminator.trainable_variables, 0.02)
    logs = losses_of(model, batch)
    assert logs["e_loss"] - usual[1]["e_loss"] == pytest.approx(e_decay, rel=1e-3)
    assert logs["d_loss"] - usual[1]["d_loss"] == pytest.approx(d_decay, rel=1e-3)


def test_weight_decay_means_kernels_of_layers(small_smpl_path):
    model = make(small_smpl_path)
    names = {v.name for v in kernels(model.trainable_variables)}
    rest = {v.name for v in model.trainable_variables} - names
    assert all(
        name.endswith(("bias:0", "biases:0", "gamma:0", "beta:0", "mean_param:0")) for name in rest
    )
    assert any("D/pose_out/weights" in name for name in names) and len(names) > 15
