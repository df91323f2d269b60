"""ResNet-50 v2 (pre-activation) as TF-Slim builds it (He et al. 2016; slim/nets/resnet_v2.py).

It differs from `keras.applications.ResNet50V2`: the stride is in the last unit of a block, strided
convolutions pad symmetrically, and epsilon and momentum of the batch norms are Slim's. Layers have
the names of the TF 1 scopes.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

SCOPE = "resnet_v2_50"
EXPANSION = 4


class Block(NamedTuple):
    """Bottleneck units of the same width; the last one has the stride."""

    width: int
    units: int
    stride: int


BLOCKS = (Block(64, 3, 2), Block(128, 4, 2), Block(256, 6, 2), Block(512, 3, 1))


def conv(filters: int, size: int, name: str, stride: int = 1, use_bias: bool = False):
    """A convolution as Slim initialises it: variance scaling 2.0, fan-in.

    With a stride it does not pad: `pad_both_sides` comes before it.
    """
    return keras.layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=use_bias,
        kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal"),
        name=name,
    )


def batch_norm_relu(x: tf.Tensor, name: str, momentum: float, synchronized: bool) -> tf.Tensor:
    """Batch norm with Slim's epsilon of 1e-5, then ReLU."""
    x = keras.layers.BatchNormalization(
        momentum=momentum, epsilon=1e-5, synchronized=synchronized, name=name
    )(x)
    return keras.layers.ReLU(name=f"{name}/Relu")(x)


def pad_both_sides(x: tf.Tensor, size: int, name: str) -> tf.Tensor:
    """Pads both sides equally, where 'same' with a stride would pad more at the end."""
    return keras.layers.ZeroPadding2D((size - 1) // 2, name=f"{name}/Pad")(x)


def bottleneck(
    x: tf.Tensor,
    width: int,
    stride: int,
    norm_relu: Callable[[tf.Tensor, str], tf.Tensor],
    name: str,
) -> tf.Tensor:
    """One pre-activation unit: 1x1, 3x3 (with the stride), 1x1 convolutions and a shortcut."""
    depth = EXPANSION * width
    preact = norm_relu(x, f"{name}/preact")
    if x.shape[-1] != depth:
        shortcut = conv(depth, 1, f"{name}/shortcut", stride, use_bias=True)(preact)
    elif stride > 1:
        shortcut = keras.layers.MaxPool2D(1, strides=stride, name=f"{name}/shortcut")(x)
    else:
        shortcut = x
    residual = conv(width, 1, f"{name}/conv1")(preact)
    residual = norm_relu(residual, f"{name}/conv1/BatchNorm")
    if stride > 1:
        residual = pad_both_sides(residual, 3, f"{name}/conv2")
    residual = conv(width, 3, f"{name}/conv2", stride)(residual)
    residual = norm_relu(residual, f"{name}/conv2/BatchNorm")
    residual = conv(depth, 1, f"{name}/conv3", use_bias=True)(residual)
    return keras.layers.Add(name=f"{name}/add")([shortcut, residual])


def Encoder_resnet(
    img_size: int = 224, bn_momentum: float = 0.997, sync_batch_norm: bool = False
) -> keras.Model:
    """The image encoder: float32 [N, img_size, img_size, 3] in [-1, 1] to features [N, 2048].

    Under a mixed-precision policy the layers follow it; the features are float32.

    Source: akanazawa/hmr src/models.py (Encoder_resnet).

    Args:
        img_size: side of the crops, pixels.
        bn_momentum: momentum of the averages that the batch norms keep for inference (0.997 in
            Slim).
        sync_batch_norm: whether to normalise by the statistics of all replicas' rows. The averages
            of the variances then lack the factor n / (n - 1), n >= 49 N, of the fused kernel.
    """
    norm_relu = functools.partial(
        batch_norm_relu, momentum=bn_momentum, synchronized=sync_batch_norm
    )
    image = keras.Input((img_size, img_size, 3), name="image")
    x = pad_both_sides(image, 7, f"{SCOPE}/conv1")
    x = conv(BLOCKS[0].width, 7, f"{SCOPE}/conv1", stride=2, use_bias=True)(x)
    x = keras.layers.MaxPool2D(3, strides=2, padding="same", name=f"{SCOPE}/pool1")(x)
    for number, block in enumerate(BLOCKS, start=1):
        for unit in range(1, block.units + 1):
            name = f"{SCOPE}/block{number}/unit_{unit}/bottleneck_v2"
            stride = block.stride if unit == block.units else 1
            x = bottleneck(x, block.width, stride, norm_relu, name)
    x = norm_relu(x, f"{SCOPE}/postnorm")
    features = keras.layers.GlobalAveragePooling2D(name=f"{SCOPE}/pool5", dtype="float32")(x)
    return keras.Model(image, features, name=SCOPE)
