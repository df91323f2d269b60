"""TensorFlow 1 checkpoints: everything is loaded, or everything that does not fit is listed."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2 import HMR, HMRConfig
from hmr_tf2.checkpoints import restore_tf1

SMPL_VARIABLES = {
    "v_template",
    "shapedirs",
    "J_regressor",
    "posedirs",
    "lbs_weights",
    "cocoplus_regressor",
}
NOT_LOADED = SMPL_VARIABLES | {"global_step"}


def write(prefix, reference, variables, extra=None):
    """A TF 1 checkpoint of `variables` (name -> shape) with the reference weights."""
    values = {name: np.float32(reference.weight(name, shape)) for name, shape in variables.items()}
    values.update(extra or {})
    names = sorted(values)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(values[name]) for name in names],
    )
    return prefix


@pytest.fixture(scope="module")
def network(smpl_path):
    """A compiled model into which these tests load weights."""
    model = HMR(HMRConfig(smpl_model_path=str(smpl_path)))
    model.compile()
    return model


@pytest.fixture
def network_variables(tf1_variables):
    return {name: shape for name, shape in tf1_variables if name not in NOT_LOADED}


def values_of(model):
    """TF 1 name -> value, of every weight."""
    values = {}
    for name, slot in model.weight_slots("tf1").items():
        array = slot.variable.numpy()
        values[name] = array if slot.row is None else array[slot.row][..., np.newaxis]
    return values


def test_the_model_has_the_names_and_shapes_of_the_original(network, network_variables):
    slots = network.weight_slots("tf1")
    assert {name: list(slot.shape) for name, slot in slots.items()} == network_variables


def test_every_variable_is_loaded(network, reference_files, reference, network_variables):
    loaded = restore_tf1(network, reference_files(0) / "model.ckpt-667589")
    assert loaded == sorted(network_variables)
    values = values_of(network)
    for name, shape in network_variables.items():
        expected = (
            reference.mean_theta(0) if name == "mean_param" else reference.weight(name, shape)
        )
        np.testing.assert_allclose(values[name], expected, rtol=1e-6, err_msg=name)


def test_adam_slots_are_passed_over(network, tmp_path, reference, network_variables):
    slots = {
        f"{name}/{slot}": np.float32(0)
        for name in network_variables
        for slot in ("Adam", "Adam_1")
    }
    slots.update(beta1_power=np.float32(0.9), beta2_power=np.float32(0.999))
    prefix = write(tmp_path / "ckpt", reference, network_variables, slots)
    assert restore_tf1(network, prefix) == sorted(network_variables)


def test_a_checkpoint_without_discriminator_leaves_it_alone(
    network, tmp_path, reference, network_variables
):
    encoder = {n: s for n, s in network_variables.items() if not n.startswith("D/")}
    before = network.discriminator.pose_out_weights.numpy()
    assert restore_tf1(network, write(tmp_path / "ckpt", reference, encoder)) == sorted(encoder)
    np.testing.assert_array_equal(network.discriminator.pose_out_weights, before)


def test_an_encoder_only_model_takes_a_checkpoint_with_discriminator(
    smpl_path, reference_files, network_variables
):
    model = HMR(HMRConfig(smpl_model_path=str(smpl_path), encoder_only=True))
    loaded = restore_tf1(model, reference_files(0) / "model.ckpt-667589")
    assert loaded == sorted(n for n in network_variables if not n.startswith("D/"))


def test_slims_resnet_loads_the_encoder_and_ignores_its_logits(
    network, tmp_path, reference, network_variables
):
    resnet = {n: s for n, s in network_variables.items() if n.startswith("resnet_v2_50/")}
    logits = {
        "resnet_v2_50/logits/weights": np.zeros([1, 1, 2048, 1001], np.float32),
        "resnet_v2_50/logits/biases": np.zeros([1001], np.float32),
    }
    prefix = write(tmp_path / "resnet_v2_50.ckpt", reference, resnet, logits)
    assert restore_tf1(network, prefix) == sorted(resnet)


def test_missing_and_misshapen_variables_are_all_listed(
    network, tmp_path, reference, network_variables
):
    del network_variables["3D_module/fc2/weights"], network_variables["D/pose_out_j7/biases"]
    network_variables["resnet_v2_50/conv1/biases"] = [65]
    before = network.regressor.hidden[0].kernel.numpy()
    with pytest.raises(ValueError) as error:
        restore_tf1(network, write(tmp_path / "ckpt", reference, network_variables))
    message = str(error.value)
    assert "Missing (2): 3D_module/fc2/weights, D/pose_out_j7/biases" in message
    assert "shape (1): resnet_v2_50/conv1/biases [65] (expected [64])" in message
    np.testing.assert_array_equal(network.regressor.hidden[0].kernel, before)


def test_another_body_in_the_checkpoint_is_warned_of(
    network, tmp_path, reference, network_variables, caplog
):
    body = {"v_template": reference.reference_body(5)["v_template"].astype(np.float32)}
    restore_tf1(network, write(tmp_path / "ckpt", reference, network_variables, body))
    assert "different body model" in caplog.text


def test_an_absent_checkpoint_says_what_to_give(network, tmp_path):
    with pytest.raises(
        FileNotFoundError, match="neither such a folder of a run nor a file .*absent.index"
    ):
        restore_tf1(network, tmp_path / "absent")


@pytest.mark.parametrize("part", [".index", ".data-00000-of-00001"])
@pytest.mark.parametrize("size", [0, 1000])
def test_a_cut_off_checkpoint_is_refused(
    network, tmp_path, reference, network_variables, part, size
):
    small = {n: s for n, s in network_variables.items() if not n.startswith("D/")}
    prefix = write(tmp_path / "ckpt", reference, small)
    file = tmp_path / f"ckpt{part}"
    file.write_bytes(file.read_bytes()[:size])
    before = network.regressor.hidden[0].kernel.numpy()
    with pytest.raises(ValueError, match="ckpt"):
        restore_tf1(network, prefix)
    np.testing.assert_array_equal(network.regressor.hidden[0].kernel, before)
