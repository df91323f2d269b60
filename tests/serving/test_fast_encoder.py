"""The encoder for inference against Keras' and against one unit in float64."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hmr_tf2.networks.resnet_v2 import Encoder_resnet, batch_norm_relu, bottleneck
from hmr_tf2.networks.small_resnet import Encoder_small_resnet
from hmr_tf2.serving.fast_encoder import fast_encoder


def with_norms(encoder, rng):
    """The encoder with batch norms as after training: some negative, none neutral."""
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = len(layer.get_weights()[0])
            layer.set_weights([
                rng.normal(0.8, 0.5, size), rng.normal(0, 0.2, size), rng.normal(0, 0.2, size),
                rng.uniform(0.5, 2.0, size),
            ])  # fmt: skip
    return encoder


@pytest.fixture(scope="module")
def unit():
    """One pre-activation unit of 6 channels with stride 2 and a shortcut of its own, averaged."""
    image = keras.Input((8, 8, 6))

    def norm_relu(x, name):
        return batch_norm_relu(x, name, 0.99, False)

    x = norm_relu(bottleneck(image, 3, 2, norm_relu, "unit"), "postnorm")
    x = keras.layers.GlobalAveragePooling2D()(x)
    return with_norms(keras.Model(image, x), np.random.default_rng(3))


def unit_in_float64(model, x):
    """The unit by loops over the taps of its kernels."""
    weights = {layer.name: [w.astype(np.float64) for w in layer.get_weights()]
               for layer in model.layers}  # fmt: skip

    def norm_relu(x, name):
        gamma, beta, mean, variance = weights[name]
        return np.maximum((x - mean) / np.sqrt(variance + 1e-5) * gamma + beta, 0)

    def conv(x, name, stride=1):
        kernel = weights[name][0]
        size, side = kernel.shape[0], x.shape[1]
        edge = (size - 1) // 2
        x = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
        out = sum(
            x[:, i : i + side : stride, j : j + side : stride] @ kernel[i, j]
            for i in range(size)
            for j in range(size)
        )
        return out + (weights[name][1] if len(weights[name]) > 1 else 0)

    preact = norm_relu(x.astype(np.float64), "unit/preact")
    y = norm_relu(conv(preact, "unit/conv1"), "unit/conv1/BatchNorm")
    y = norm_relu(conv(y, "unit/conv2", 2), "unit/conv2/BatchNorm")
    y = conv(y, "unit/conv3") + conv(preact, "unit/shortcut", 2)
    return norm_relu(y, "postnorm").mean(axis=(1, 2))


@pytest.mark.parametrize("fold", [True, False])
def test_a_unit_equals_float64_to_rounding(unit, rng, fold):
    x = rng.normal(size=(3, 8, 8, 6)).astype(np.float32)
    expected = unit_in_float64(unit, x)
    got = fast_encoder(unit, fold_batch_norm=fold)(x)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize(
    "make", [pytest.param(Encoder_resnet, marks=pytest.mark.slow), Encoder_small_resnet]
)
def test_features_equal_those_of_keras_for_any_batch(make, rng):
    encoder = with_norms(make(), rng)
    encode = fast_encoder(encoder)
    images = rng.uniform(-1, 1, (3, 224, 224, 3)).astype(np.float32)
    for batch in (images[:1], images):
        expected = encoder.predict_on_batch(batch)
        # Rounding of 50 layers, each relative to its largest values.
        np.testing.assert_allclose(
            encode(batch), expected, rtol=0, atol=2e-5 * np.abs(expected).max()
        )


def test_only_norms_that_read_a_sum_or_a_pool_remain():
    graph = fast_encoder(Encoder_resnet()).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("FusedBatchNormV3") == 17  # 16 units and the last one
    assert kinds.count("Conv2D") == 53
    assert "Pad" not in kinds and graph.captures == []  # or oneDNN would reorder in every call


def test_bfloat16_differs_by_its_rounding_and_gives_float32(rng):
    encoder = with_norms(Encoder_small_resnet(), rng)
    images = rng.uniform(-1, 1, (2, 224, 224, 3)).astype(np.float32)
    expected, got = encoder.predict_on_batch(images), fast_encoder(encoder, tf.bfloat16)(images)
    assert got.dtype == tf.float32
    error = np.abs(got - expected).max() / np.abs(expected).max()
    assert 1e-4 < error < 0.03  # 8 bits of mantissa through 9 layers


def test_bfloat16_begins_behind_the_first_sum():
    graph = fast_encoder(Encoder_resnet(), tf.bfloat16).graph
    kinds = [op.get_attr("T") for op in graph.get_operations() if op.type == "Conv2D"]
    assert kinds == 5 * [tf.float32] + 48 * [tf.bfloat16]  # conv1, and four of unit 1


def test_a_later_change_of_the_weights_changes_nothing(unit, rng):
    encode = fast_encoder(unit)
    x = rng.normal(size=(1, 8, 8, 6)).astype(np.float32)
    before, kernel = encode(x), unit.get_layer("unit/conv1").kernel
    value = kernel.numpy()
    kernel.assign(value * 2)
    np.testing.assert_array_equal(encode(x), before)
    kernel.assign(value)


def test_a_layer_with_weights_it_does_not_know_is_named():
    image = keras.Input((4,))
    encoder = keras.Model(image, keras.layers.Dense(2, name="dense")(image))
    with pytest.raises(ValueError, match="dense"):
        fast_encoder(encoder)
