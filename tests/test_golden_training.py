"""Three training steps equal those of the original program, from the same weights and batch."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2 import HMR, HMRConfig
from hmr_tf2.checkpoints import restore_tf1
from hmr_tf2.theta import split_theta

FILES = ("golden_hmr_seed0.npz", "golden_hmr_seed8_2d_T2.npz")


class Run:
    """The reference model of one golden file before its first step."""

    def __init__(self, name, golden, reference, reference_files):
        self.golden, meta = golden(name)
        self.steps = meta["steps"]
        folder = reference_files(meta["seed"])
        self.model = HMR(
            HMRConfig(
                smpl_model_path=str(folder / "neutral_smpl_with_cocoplus_reg.pkl"),
                batch_size=meta["n"],
                use_3d_label=meta["use_3d"],
                dropout_rate=meta["dropout"],
                **{
                    key: meta[key]
                    for key in (
                        "num_stage",
                        "encoder_only",
                        "e_lr",
                        "d_lr",
                        "e_loss_weight",
                        "d_loss_weight",
                        "e_3d_weight",
                    )
                },
            )
        )
        self.model.compile()
        restore_tf1(self.model, folder / "model.ckpt-667589")
        self.batch = reference.batch(meta["seed"], meta["n"], num_stage=meta["num_stage"])

    def value(self, name):
        """A variable by its TF 1 name, as the golden files name it."""
        slot = self.model.weight_slots("tf1")[name]
        value = slot.variable.numpy()
        return value if slot.row is None else value[slot.row]


@pytest.fixture(scope="module", params=FILES)
def run(request, golden, reference, reference_files):
    return Run(request.param, golden, reference, reference_files)


@pytest.fixture(scope="module")
def gradients(run):
    """TF 1 name -> gradient, of the first step."""
    batch = {name: tf.constant(value) for name, value in run.batch.items()}
    slots = {n: slot for n, slot in run.model.weight_slots("tf1").items() if "moving" not in n}
    e_names, d_names = ([n for n in slots if n.startswith("D/") is is_d] for is_d in (False, True))
    with tf.GradientTape() as e_tape, tf.GradientTape() as d_tape:
        of_part, _ = run.model.compute_losses(batch)
    result = {}
    for tape, loss, names in (
        (e_tape, of_part["e"], e_names),
        (d_tape, of_part["d"], d_names),
    ):
        found = tape.gradient(loss, [slots[name].variable for name in names])
        for name, gradient in zip(names, found, strict=True):
            row = slots[name].row
            result[name] = gradient.numpy() if row is None else gradient.numpy()[row]
    return result


def has_zero_gradient(name):
    """Encoder biases feed only batch norms, so what is left of their gradient is rounding."""
    return name.startswith("resnet_v2_50") and name.endswith("/biases")


def test_gradient_norm_of_every_variable(run, gradients):
    compared = 0
    for key in run.golden.files:
        if key.startswith("grad/") and not has_zero_gradient(key[5:]):
            expected = run.golden[key][0]
            assert np.linalg.norm(gradients[key[5:]]) == pytest.approx(expected, rel=1e-3), key
            compared += 1
    assert compared > 190


def test_gradient_entries(run, gradients):
    for key in run.golden.files:
        if key.startswith("grad/") and not has_zero_gradient(key[5:]):
            norm, expected = run.golden[key][0], run.golden[key][1:]
            got = gradients[key[5:]].ravel()[:8]
            np.testing.assert_allclose(got, expected[: got.size], atol=1e-3 * norm, err_msg=key)


def test_encoder_biases_have_no_gradient(run, gradients):
    biases = [name for name in gradients if has_zero_gradient(name)]
    assert len(biases) == 21
    for name in biases:
        assert np.linalg.norm(gradients[name]) < 1e-4, name


def test_first_forward_pass(run):
    model, golden = run.model, run.golden
    features = model.encoder(run.batch["image"], training=True)
    np.testing.assert_allclose(features, golden["step0/img_feat"], rtol=1e-3, atol=1e-4)
    num = len(run.batch["image"])
    show = [*range(min(6, num) // 2), num - 1, num - 2, num - 3]
    for stage, theta in enumerate(model.regressor(features, training=True, seed=[0, 0])):
        cams, pose, shape = split_theta(theta)
        verts, _, _ = model.smpl(shape, pose, get_skin=True)
        np.testing.assert_allclose(
            cams.numpy()[show], golden["step0/show_cams"][:, stage], atol=1e-4
        )
        np.testing.assert_allclose(
            verts.numpy()[show][:, ::100], golden["step0/show_verts"][:, stage], atol=1e-4
        )


def test_discriminator_outputs(run):
    model = run.model
    outputs = []
    original = model.discriminator.call

    def spy(*args):
        outputs.append(original(*args))
        return outputs[-1]

    model.discriminator.call = spy
    try:
        model.compute_losses({name: tf.constant(value) for name, value in run.batch.items()})
    finally:
        model.discriminator.call = original
    np.testing.assert_allclose(outputs[0], run.golden["step0/d_out"], rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module", params=FILES)
def trained(request, golden, reference, reference_files):
    """A run of its own after its steps, and the losses of each."""
    run = Run(request.param, golden, reference, reference_files)
    logs = [run.model.train_on_batch(run.batch, return_dict=True) for _ in range(run.steps)]
    return run, logs


def test_losses_of_three_steps(trained):
    run, logs = trained
    compared = 0
    for key in run.golden.files:
        step, _, loss = key.partition("/")
        if step.startswith("step") and run.golden[key].shape == ():
            got = logs[int(step.removeprefix("step"))][loss]
            assert got == pytest.approx(float(run.golden[key]), rel=1e-3), key
            compared += 1
    assert compared == run.steps * (8 if run.model.config.use_3d_label else 6)


def test_updated_weights_and_batch_norm_averages(trained):
    run, _ = trained
    finals = [key for key in run.golden.files if key.startswith("final/")]
    assert len(finals) == 15
    for key in finals:
        value = run.value(key.removeprefix("final/")).ravel()[:32]
        expected = run.golden[key][: value.size]
        np.testing.assert_allclose(
            value, expected, atol=2e-4 * np.abs(expected).max(), err_msg=key
        )


def test_step_counter_counts_encoder_updates(trained):
    run, _ = trained
    assert run.model.optimizer.iterations.numpy() == run.steps
