"""A small image encoder that learns within minutes on a CPU; it is not the original's network.

A ResNet's global average pooling hides where a limb is, which takes long to learn around. This
encoder keeps a 7 x 7 map, so that the regressor sees where things are from the first step on.
"""

import functools

import tf_keras as keras

from hmr_tf2.networks.resnet_v2 import batch_norm_relu, conv, pad_both_sides

SCOPE = "small_resnet"
WIDTHS = (16, 32, 64, 128)  # at strides 4, 8, 16 and 32 of the crop
NUM_CHANNELS = 32  # of each place in the last map


def Encoder_small_resnet(
    img_size: int = 224, bn_momentum: float = 0.997, sync_batch_norm: bool = False
) -> keras.Model:
    """float32 [N, img_size, img_size, 3] in [-1, 1] to features, [N, 1568] for crops of 224 px.

    It takes 0.07 GFLOP per crop, ResNet-50 7.1. For the arguments see `resnet_v2.Encoder_resnet`.
    """
    norm_relu = functools.partial(
        batch_norm_relu, momentum=bn_momentum, synchronized=sync_batch_norm
    )

    def conv_norm_relu(x, width, size, name, stride=1):
        if stride > 1:
            x = pad_both_sides(x, size, name)
        return norm_relu(conv(width, size, name, stride)(x), f"{name}/BatchNorm")

    image = keras.Input((img_size, img_size, 3), name="image")
    x = keras.layers.AveragePooling2D(2, name=f"{SCOPE}/halve")(image)
    x = conv_norm_relu(x, WIDTHS[0], 5, f"{SCOPE}/conv1", stride=2)
    for number, width in enumerate(WIDTHS[1:], start=1):
        name = f"{SCOPE}/block{number}"
        x = conv_norm_relu(x, width, 3, f"{name}/reduce", stride=2)
        residual = conv_norm_relu(x, width, 3, f"{name}/conv")
        x = keras.layers.Add(name=f"{name}/add")([x, residual])
    x = conv_norm_relu(x, NUM_CHANNELS, 1, f"{SCOPE}/squeeze")
    features = keras.layers.Flatten(name=f"{SCOPE}/flatten", dtype="float32")(x)
    return keras.Model(image, features, name=SCOPE)
