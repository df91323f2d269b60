"""Loads weights from files: the model knows their names in a file, a reader knows its format.

    file = open_weights("models/model.ckpt-667589")        # the content tells the format
    names = assign(model.weight_slots(file.kind, file.shapes), file)

Nothing is assigned unless everything fits.
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
import tensorflow as tf
import tf_keras as keras
from absl import logging

from hmr_tf2.checkpoints import tf1

# Keras' name of a weight of a layer -> Slim's.
SLIM_NAMES = {"kernel": "weights", "bias": "biases"}


@dataclasses.dataclass(frozen=True)
class Slot:
    """Where an array of a file belongs: in a whole variable, or in one row of a stacked one.

    Attributes:
        variable: the variable that gets the values.
        row: number of the row of `variable`, which in the file is a dense layer with one output;
            None for the whole variable.
    """

    variable: tf.Variable
    row: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array in the file."""
        shape = tuple(self.variable.shape)
        return shape if self.row is None else (*shape[1:], 1)

    def assign(self, value: np.ndarray) -> None:
        """Assigns an array of `shape` to the variable, or to its row."""
        if self.row is None:
            self.variable.assign(value)
        else:
            self.variable[self.row].assign(value[..., 0])


class WeightFile(Protocol):
    """A file of named arrays, whatever its format.

    Attributes:
        path: the path as it was given, for messages.
        kind: the format, such as `tf1.KIND`.
        shapes: name -> shape of every array.
    """

    path: str
    kind: str
    shapes: Mapping[str, tuple[int, ...]]

    def read(self, name: str) -> np.ndarray:
        """The array of this name; raises ValueError, naming file and array, if it is damaged."""


def assign(slots: Mapping[str, Slot], file: WeightFile) -> list[str]:
    """Loads every slot from the file's array of the same name: all of them or none.

    Returns:
        The names that were loaded, sorted.

    Raises:
        ValueError: arrays are missing, have the wrong shape, or are damaged. All missing and
            misshapen ones are listed, and the variables stay as they were.
    """
    missing = [name for name in slots if name not in file.shapes]
    misshapen = [
        f"{name} {list(file.shapes[name])} (expected {list(slot.shape)})"
        for name, slot in slots.items()
        if name in file.shapes and tuple(file.shapes[name]) != slot.shape
    ]
    if missing or misshapen:
        raise ValueError(
            f"{file.path} does not fit the model.\nMissing ({len(missing)}): "
            f"{', '.join(missing) or 'none'}.\nWith the wrong shape ({len(misshapen)}): "
            f"{', '.join(misshapen) or 'none'}."
        )
    # Everything is read first, so that a damaged file leaves the model as it was.
    values = {name: file.read(name) for name in slots}
    for name, slot in slots.items():
        slot.assign(values[name])
    return sorted(slots)


def slim_slots(networks: Iterable[keras.layers.Layer | keras.Model]) -> dict[str, Slot]:
    """The weights, by TF-Slim's names, of networks whose layers are named like its scopes."""
    slots = {}
    for network in networks:
        for layer in _leaf_layers(network):
            for weight in layer.weights:
                leaf = weight.name.split("/")[-1].split(":")[0]
                slots[f"{layer.name}/{SLIM_NAMES.get(leaf, leaf)}"] = Slot(weight)
    return slots


def _leaf_layers(network) -> list[keras.layers.Layer]:
    """The layers inside `network` that have weights, without `network` itself."""
    return [
        part
        for part in network.submodules
        if isinstance(part, keras.layers.Layer) and part.weights
    ]


def open_weights(path: str | os.PathLike) -> WeightFile:
    """Opens a file of weights, whose content tells its format.

    The formats known are TensorFlow 1 checkpoints, named by their prefix or `.index` file.

    Raises:
        OSError: there is no such file.
        ValueError: it is damaged, or its format is unknown.
    """
    return tf1.open_checkpoint(path)


def restore_tf1(model, path: str | os.PathLike) -> list[str]:
    """Loads the weights of a TensorFlow 1 checkpoint into a model.

    `HMR` accepts two kinds: the authors' `model.ckpt-667589` (encoder, regressor and mean, and the
    discriminator if both have one), and Slim's `resnet_v2_50.ckpt` (the encoder only; its logits
    are ignored). Adam's slots and the body stored in the file are not loaded: a new run has new
    optimisers, and the body comes from the SMPL file (a warning is logged if the two differ).

    Args:
        model: a model with `weight_slots`, see `TrainedModel`.
        path: prefix of the checkpoint, as TF 1 names it, or its `.index` file.

    Returns:
        The names of the variables that were loaded, sorted.

    Raises:
        OSError: there is no such checkpoint, or it cannot be read.
        ValueError: it is damaged, or variables are missing or have the wrong shape (all listed).
    """
    file = open_weights(path)
    names = assign(model.weight_slots(file.kind, file.shapes), file)
    if hasattr(model, "smpl"):
        _warn_of_another_body(file, model.smpl.v_template, model.config.smpl_model_path)
    return names


def _warn_of_another_body(file: WeightFile, v_template: np.ndarray, smpl_model_path: str) -> None:
    """Warns if the checkpoint was trained with another body; the original's hold theirs."""
    if "v_template" not in file.shapes:
        return
    if file.shapes["v_template"] == v_template.shape and np.allclose(
        file.read("v_template"), v_template, atol=1e-5
    ):
        return
    logging.warning(
        "%s was trained with a different body model than %s: expect wrong meshes.",
        file.path,
        smpl_model_path,
    )
