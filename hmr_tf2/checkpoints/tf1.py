"""Reads TensorFlow 1 checkpoints: the authors' HMR weights and Slim's ResNet-50 v2."""

import dataclasses
import os

import numpy as np
import tensorflow as tf
import tf_keras as keras
from absl import logging

from hmr_tf2.networks import discriminator, regressor, resnet_v2

# Keras' name of a weight to Slim's.
LEAF_NAMES = {"kernel": "weights", "bias": "biases"}
# The reader raises all of these for damaged files.
READ_ERRORS = (tf.errors.OpError, RuntimeError, ValueError)


@dataclasses.dataclass(frozen=True)
class Slot:
    """Where a TF 1 variable lives: a whole variable, or one row of a stacked one."""

    variable: tf.Variable
    row: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the TF 1 variable; a row was a dense layer with one output."""
        shape = tuple(self.variable.shape)
        return shape if self.row is None else (*shape[1:], 1)

    def assign(self, value: np.ndarray) -> None:
        if self.row is None:
            self.variable.assign(value)
        else:
            self.variable[self.row].assign(value[..., 0])


def tf1_variables(model: keras.Model) -> dict[str, Slot]:
    """The model's variables by the names of the original's training graph."""
    networks = [model.encoder, model.regressor, model.discriminator]
    slots = {"mean_param": Slot(model.regressor.mean_param)}
    for network in filter(None, networks):
        for layer in _leaf_layers(network):
            for weight in layer.weights:
                leaf = weight.name.split("/")[-1].split(":")[0]
                slots[f"{layer.name}/{LEAF_NAMES.get(leaf, leaf)}"] = Slot(weight)
    if model.discriminator is not None:
        for joint in range(discriminator.NUM_JOINTS):
            scope = f"{discriminator.SCOPE}/pose_out_j{joint}"
            slots[f"{scope}/weights"] = Slot(model.discriminator.pose_out_weights, joint)
            slots[f"{scope}/biases"] = Slot(model.discriminator.pose_out_biases, joint)
    return slots


def restore_tf1(model: keras.Model, path: str | os.PathLike) -> list[str]:
    """Loads the weights of a TensorFlow 1 checkpoint into an `HMR` model.

    Two kinds are known: the authors' `model.ckpt-667589` (encoder, regressor and mean; the
    discriminator where both have it), and Slim's `resnet_v2_50.ckpt` (encoder only, its logits are
    ignored). Adam slots and the body stored in the file are not loaded: a new run has new
    optimisers, and the body comes from the SMPL file (a warning tells if the two differ).

    Args:
        model: an `hmr_tf2.HMR`.
        path: prefix of the checkpoint, as TF 1 names it, or its `.index` file.

    Returns:
        The names of the variables that were loaded, sorted.

    Raises:
        OSError: there is no such checkpoint, or it cannot be read.
        ValueError: it is damaged, or a variable is missing or has another shape; all are listed.
    """
    reader = open_checkpoint(path)
    shapes = reader.get_variable_to_shape_map()
    slots = _wanted(tf1_variables(model), shapes)
    missing = [name for name in slots if name not in shapes]
    misshapen = [
        f"{name} {shapes[name]} (expected {list(slot.shape)})"
        for name, slot in slots.items()
        if name in shapes and tuple(shapes[name]) != slot.shape
    ]
    if missing or misshapen:
        raise ValueError(
            f"{path} does not fit the model.\nMissing ({len(missing)}): "
            f"{', '.join(missing) or 'none'}.\nOf another shape ({len(misshapen)}): "
            f"{', '.join(misshapen) or 'none'}."
        )
    # Read everything first, so that a damaged file leaves the model as it was.
    values = {name: _read(reader, name, path) for name in slots}
    for name, slot in slots.items():
        slot.assign(values[name])
    _warn_of_another_body(model, reader, shapes, path)
    return sorted(slots)


def open_checkpoint(path: str | os.PathLike):
    """A reader of the checkpoint with this prefix.

    Raises:
        OSError: no such checkpoint.
        ValueError: it is damaged.
    """
    prefix = os.fspath(path).removesuffix(".index")
    if not os.path.isfile(f"{prefix}.index"):
        raise FileNotFoundError(
            f"No checkpoint at {prefix}: {prefix}.index does not exist. Give the prefix that the "
            "files .index and .data-00000-of-00001 share, for example models/model.ckpt-667589."
        )
    try:
        return tf.train.load_checkpoint(prefix)
    except READ_ERRORS as error:
        raise ValueError(f"{prefix}: not a readable checkpoint: {error}") from error


def is_resnet_only(shapes: dict[str, list[int]]) -> bool:
    """Whether a checkpoint with these variables holds the image encoder and nothing of HMR."""
    beyond = (f"{regressor.SCOPE}/", f"{discriminator.SCOPE}/", "mean_param")
    return any(name.startswith(resnet_v2.SCOPE) for name in shapes) and not any(
        name.startswith(beyond) for name in shapes
    )


def _leaf_layers(network):
    return [layer for layer in network._flatten_layers() if layer.weights and layer is not network]


def _wanted(slots, shapes):
    """The part of the model's variables that this checkpoint must have."""
    if is_resnet_only(shapes):
        return {name: slot for name, slot in slots.items() if name.startswith(resnet_v2.SCOPE)}
    if not any(name.startswith(f"{discriminator.SCOPE}/") for name in shapes):
        return {
            name: slot
            for name, slot in slots.items()
            if not name.startswith(f"{discriminator.SCOPE}/")
        }
    return slots


def _read(reader, name, path):
    try:
        return reader.get_tensor(name)
    except (*READ_ERRORS, IndexError) as error:
        raise ValueError(f"{path}: {name} cannot be read: {error}") from error


def _warn_of_another_body(model, reader, shapes, path):
    own = model.smpl.v_template
    if tuple(shapes.get("v_template", ())) != tuple(own.shape):
        different = "v_template" in shapes
    else:
        different = not np.allclose(_read(reader, "v_template", path), own, atol=1e-5)
    if different:
        logging.warning(
            "%s was trained with another body model than %s: expect wrong meshes.",
            path,
            model.config.smpl_model_path,
        )
