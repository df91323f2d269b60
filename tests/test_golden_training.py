"""Three training steps equal those of the original program, from the same weights and batch.

How near the encoder's gradients can come to the original's depends on the machine: a ResNet of
random weights that normalises by a batch of four amplifies the rounding of float32 by 10^4, and
other kernels (with AVX-512 or oneDNN or without) round otherwise. So they are compared through
float64.
"""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hmr_tf2 import HMR, HMRConfig
from hmr_tf2.checkpoints import restore_tf1
from hmr_tf2.theta import split_theta

FILES = ("golden_hmr_seed0.npz", "golden_hmr_seed8_2d_T2.npz")


class Run:
    """The reference model of one golden file before its first step."""

    def __init__(self, name, golden, reference, reference_files):
        self.name = name
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


def gradients_of(run):
    """TF 1 name -> gradient, of the first step."""
    batch = {name: tf.constant(value) for name, value in run.batch.items()}
    slots = {n: slot for n, slot in run.model.weight_slots("tf1").items() if "moving" not in n}
    e_names, d_names = ([n for n in slots if n.startswith("D/") is is_d] for is_d in (False, True))
    variables_of = {
        part: [slots[name].variable for name in names]
        for part, names in (("e", e_names), ("d", d_names))
    }

    # In a graph, which frees what is no longer needed sooner than a tape does.
    @tf.function(autograph=False)
    def of_parts(batch):
        with tf.GradientTape() as e_tape, tf.GradientTape() as d_tape:
            of_part, _ = run.model.compute_losses(batch)
        return [
            *e_tape.gradient(of_part["e"], variables_of["e"]),
            *d_tape.gradient(of_part["d"], variables_of["d"]),
        ]

    result = {}
    for name, gradient in zip([*e_names, *d_names], of_parts(batch), strict=True):
        row = slots[name].row
        result[name] = gradient.numpy() if row is None else gradient.numpy()[row]
    return result


@pytest.fixture(scope="module")
def gradients(run):
    return gradients_of(run)


@pytest.fixture(scope="module")
def exact_gradients(run, golden, reference, reference_files):
    """The same with an encoder that computes in float64."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("float64")
    try:
        return gradients_of(Run(run.name, golden, reference, reference_files))
    finally:
        keras.mixed_precision.set_global_policy(before)


def has_zero_gradient(name):
    """Encoder biases feed only batch norms, so what is left of their gradient is rounding."""
    return name.startswith("resnet_v2_50") and name.endswith("/biases")


def norm_and_entries(gradient):
    """The norm and the first eight entries, as the golden files have them."""
    return np.concatenate([[np.linalg.norm(gradient)], gradient.ravel()[:8]])


def with_gradient(run, in_encoder):
    names = [key.removeprefix("grad/") for key in run.golden.files if key.startswith("grad/")]
    return [
        name
        for name in names
        if name.startswith("resnet_v2_50") is in_encoder and not has_zero_gradient(name)
    ]


def test_gradients_behind_the_features(run, gradients):
    names = with_gradient(run, in_encoder=False)
    assert len(names) == 6 + 1 + 62  # regressor, mean theta, discriminator
    for name in names:
        ours = norm_and_entries(gradients[name])
        original = run.golden[f"grad/{name}"][: ours.size]
        np.testing.assert_allclose(ours / ours[0], original / ours[0], atol=2e-5, err_msg=name)


@pytest.mark.parametrize(
    "run", [FILES[0], pytest.param(FILES[1], marks=pytest.mark.slow)], indirect=True
)
def test_encoder_gradients_lie_as_near_to_float64_as_the_originals(
    run, gradients, exact_gradients
):
    names = with_gradient(run, in_encoder=True)
    assert len(names) == 151
    rounding, deviation = [], []
    for name in names:
        exact = norm_and_entries(exact_gradients[name])
        rounding.append((norm_and_entries(gradients[name]) - exact) / exact[0])
        deviation.append((run.golden[f"grad/{name}"][: exact.size] - exact) / exact[0])
    rms_rounding, rms_deviation = (
        np.sqrt(np.mean(np.concatenate(errors) ** 2)) for errors in (rounding, deviation)
    )
    assert rms_rounding < 2e-3
    assert rms_deviation < 2 * rms_rounding
    for name, errors in zip(names, deviation, strict=True):
        # Few variables deviate much: tails are longer than a normal distribution's.
        assert np.abs(errors).max() < 12 * rms_rounding, name


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
