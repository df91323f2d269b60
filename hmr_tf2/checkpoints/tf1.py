"""Reads TensorFlow checkpoints: the authors' weights, Slim's, and those of our own runs."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfrecords_tools import paths

KIND = "tf1"

# TensorFlow looks for checkpoints with a pattern, in which these have a meaning.
PATTERN_CHARACTERS = "*?[\\"

# TensorFlow's reader raises all of these for damaged files.
READ_ERRORS = (tf.errors.OpError, RuntimeError, ValueError, IndexError)


class Checkpoint:
    """The named arrays of a checkpoint: a `weights.WeightFile`.

    Args:
        path: the prefix, for messages.
        reader: what `reader_of` returned.
    """

    kind = KIND

    def __init__(self, path: str, reader: Any):
        self.path = path
        self._reader = reader
        self.shapes: Mapping[str, tuple[int, ...]] = {
            name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()
        }

    def read(self, name: str) -> np.ndarray:
        """The array of this name; raises ValueError, naming file and array, if it is damaged."""
        try:
            return self._reader.get_tensor(name)
        except READ_ERRORS as error:
            raise ValueError(f"{self.path}: {name} cannot be read: {error}") from error


def open_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """Opens the checkpoint with this prefix (or this `.index` file), a TF 1 one or one of ours.

    Raises:
        OSError: there is no such checkpoint.
        ValueError: it is damaged, or `check_name` refuses its name.
    """
    check_name(path)
    prefix = os.fspath(paths.path_of(path)).removesuffix(".index")
    if not paths.path_of(f"{prefix}.index").is_file():
        raise FileNotFoundError(
            f"No checkpoint at {prefix}: there is neither such a folder of a run nor a file "
            f"{prefix}.index. Give a run's folder, or the prefix that the files .index and "
            ".data-00000-of-00001 share, for example models/model.ckpt-667589."
        )
    try:
        return Checkpoint(prefix, reader_of(prefix))
    except READ_ERRORS as error:
        raise ValueError(f"{prefix} is not a readable checkpoint: {error}") from error


def reader_of(prefix: str) -> Any:
    """TensorFlow's reader of the checkpoint with exactly this prefix."""
    # `tf.train.load_checkpoint` would first look whether it is a folder, which some file systems
    # answer with yes for the beginning of a name.
    return tf.compat.v1.train.NewCheckpointReader(prefix)


def check_name(path: str | os.PathLike) -> None:
    """Raises ValueError where TensorFlow would take a path for a pattern, and find nothing."""
    whole = paths.absolute(path)
    found = sorted(set(whole) & set(PATTERN_CHARACTERS))
    if found:
        raise ValueError(
            f"{whole} has {' and '.join(found)} in its name, which TensorFlow "
            "takes for a pattern, so it finds no checkpoint there. Rename that folder or use "
            "another."
        )
