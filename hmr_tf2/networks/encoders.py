"""The image encoders by name. To add one, add a module beside this one and a line to `_HOME`.

An encoder is a Keras model from float32 [N, S, S, 3] in [-1, 1] to features [N, F]. Its layers
have the names that its weight files use.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    import tf_keras as keras

# Value of --model_type -> module and function. Modules are imported only when they are needed, so
# that settings can list the names without TensorFlow.
_HOME = {
    "resnet_fc3_dropout": ("hmr_tf2.networks.resnet_v2", "Encoder_resnet"),
    "small_resnet_fc3_dropout": ("hmr_tf2.networks.small_resnet", "Encoder_small_resnet"),
}
ENCODERS = tuple(_HOME)


def make_encoder(
    name: str, img_size: int = 224, bn_momentum: float = 0.997, sync_batch_norm: bool = False
) -> "keras.Model":
    """Builds an encoder with random weights.

    Args:
        name: one of `ENCODERS`.
        img_size: side S of the crops, pixels.
        bn_momentum: momentum of the averages that the batch norms keep for inference.
        sync_batch_norm: whether to normalise by the statistics of all replicas' rows.

    Raises:
        ValueError: there is no encoder of this name.
    """
    if name not in _HOME:
        raise ValueError(f"There is no encoder {name!r}; choose one of {', '.join(ENCODERS)}.")
    module, function = _HOME[name]
    build = getattr(importlib.import_module(module), function)
    return build(img_size, bn_momentum, sync_batch_norm=sync_batch_norm)
