"""The image encoder as a graph for inference alone: constants, folded batch norms, bfloat16.

oneDNN brings the weights of a convolution into the order that its kernels read. For constants it
keeps the result; for variables it repeats this in every call, which at batch 1 takes as long as
the arithmetic.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras as keras


def fast_encoder(
    encoder: keras.Model, dtype: tf.DType = tf.float32, fold_batch_norm: bool = True
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Copies an encoder, as it is now, into a function for inference.

    A batch norm that is the only reader of a convolution becomes part of its weights and bias.
    Those before the units of a pre-activation ResNet read a sum, and remain operations of their
    own.

    Everything up to the first sum, 10 % of the arithmetic of a ResNet-50, is float32 in any case:
    in bfloat16 it alone would double the error of the joints.

    >>> features = fast_encoder(model.encoder, tf.bfloat16)(images)

    Args:
        encoder: a functional model with one input and one output, each layer used once.
        dtype: type of the weights, the convolutions and what lies between them, after the first
            sum; bfloat16 is fast on CPUs with AVX512_BF16 or AMX and correct on all.
        fold_batch_norm: whether to merge batch norms; the results are equal up to rounding.

    Returns:
        A concrete function from float32 [N, S, S, 3] in [-1, 1] to float32 features [N, F]; it has
        no `variables`: the weights are constants of its graph.
    """
    parents = {
        layer.name: [node.layer.name for node in layer.inbound_nodes[0].parent_nodes]
        for layer in encoder.layers
    }
    merged = _merged_layers(encoder, parents, fold_batch_norm)
    dtypes = _dtypes(encoder, dtype)
    steps = {
        layer.name: _step(layer, merged.get(layer.name, ()), dtypes[layer.name])
        for layer in encoder.layers
    }
    skipped = {layer.name for layers in merged.values() for layer in layers}
    (output,) = encoder.output_names

    spec = tf.TensorSpec(encoder.input_shape, tf.float32, "images")

    @tf.function(input_signature=[spec], autograph=False)
    def encode(images):
        values = {}
        for name, step in steps.items():
            inputs = [tf.cast(values[p], dtypes[name]) for p in parents[name]] or [images]
            values[name] = inputs[0] if name in skipped else step(*inputs)
        return values[output]

    return encode.get_concrete_function()


def _merged_layers(encoder, parents, fold_batch_norm) -> dict[str, list[keras.layers.Layer]]:
    """For each convolution, the layers that become part of it: padding before, norm after."""
    read_by = {name: [] for name in parents}
    for name, sources in parents.items():
        for source in sources:
            read_by[source].append(name)
    merged = {}
    for layer in encoder.layers:
        if not isinstance(layer, keras.layers.Conv2D):
            continue
        (before,), behind = parents[layer.name], read_by[layer.name]
        near = []
        if len(read_by[before]) == 1:
            near.append((encoder.get_layer(before), keras.layers.ZeroPadding2D))
        if fold_batch_norm and len(behind) == 1:
            near.append((encoder.get_layer(behind[0]), keras.layers.BatchNormalization))
        merged[layer.name] = [other for other, kind in near if isinstance(other, kind)]
    return merged


def _dtypes(encoder, dtype) -> dict[str, tf.DType]:
    """The type of each layer by name: float32 up to the first sum, `dtype` after it."""
    kinds = [type(layer) for layer in encoder.layers]
    sum_at = kinds.index(keras.layers.Add) if keras.layers.Add in kinds else -1
    return {
        layer.name: tf.float32 if number <= sum_at else dtype
        for number, layer in enumerate(encoder.layers)
    }


def _step(layer, merged, dtype) -> Callable[..., tf.Tensor]:
    """What a layer does to its inputs, with its weights as they are now."""
    if isinstance(layer, keras.layers.InputLayer):
        return lambda images: images
    if isinstance(layer, keras.layers.Conv2D):
        return _convolution(layer, merged, dtype)
    if isinstance(layer, keras.layers.BatchNormalization):
        return _batch_norm(layer)
    if layer.weights:
        raise ValueError(
            f"The layer {layer.name} ({type(layer).__name__}) has no form for fast inference."
        )
    if isinstance(layer, keras.layers.Add):
        return lambda *inputs: layer.call(list(inputs))
    if isinstance(layer, (keras.layers.GlobalAveragePooling2D, keras.layers.Flatten)):
        return lambda x: layer.call(tf.cast(x, tf.float32))
    return layer.call


def _convolution(layer, merged, dtype):
    kernel = layer.kernel.numpy().astype(np.float64)
    bias = layer.bias.numpy() if layer.use_bias else np.zeros(kernel.shape[-1])
    padding = layer.padding.upper()
    for other in merged:
        if isinstance(other, keras.layers.ZeroPadding2D):
            padding = [[0, 0], *(list(pair) for pair in other.padding), [0, 0]]
        else:
            scale, shift = scale_and_shift(other)
            kernel, bias = kernel * scale, bias * scale + shift

    def convolve(x):
        # Constants must be made inside the function: from outside they would become its inputs.
        x = tf.nn.conv2d(x, tf.constant(kernel, dtype), layer.strides, padding)
        return tf.nn.bias_add(x, tf.constant(bias, dtype))

    return convolve


def scale_and_shift(norm: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """float64 [C] each: in inference a batch norm is x * scale + shift."""
    gamma, beta, mean, variance = (weight.astype(np.float64) for weight in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return scale, beta - mean * scale


def _batch_norm(layer):
    weights = layer.get_weights()

    def normalise(x):
        # One pass over x together with the relu after it, in float32 inside; a product and a sum
        # would be two passes.
        return tf.compat.v1.nn.fused_batch_norm(
            x, *map(tf.constant, weights), epsilon=layer.epsilon, is_training=False
        )[0]

    return normalise
