"""Predictions for a recording, kept in HDF5 and reused only as long as they are valid.

A file `<recording>.h5` has the groups `prediction` (`theta`, `cams`, `joints` in pixels of the
crop, `joints3d` in metres) and `truth` (`keypoints`, `filename`, and if 3-D joints are known
`joints3d` and `activity`), and `record`, the number of each frame's record in its file.
"""

import hashlib
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np
from absl import logging

from hmr_tf2.data.record_index import RecordIndex
from hmr_tf2.evaluation import reading
from hmr_tf2.evaluation.validation import Predict
from tfrecords_tools import hdf5
from tfrecords_tools.files import fingerprint as fingerprint_of
from tfrecords_tools.paths import path_of

# Part of every fingerprint; to be raised when what is kept, or how it is computed, changes.
FORMAT = 1
KEPT = ("theta", "cams", "joints", "joints3d")

Arrays = Mapping[str, np.ndarray]


class Kept(NamedTuple):
    """Where the predictions for one recording are kept.

    `rows` int [N] are the numbers of its records in the index; `path` is the file; `key` is the
    fingerprint of everything that decides what is in it.
    """

    rows: np.ndarray
    path: pathlib.Path
    key: str


def fingerprint(files: Sequence[str | os.PathLike], **settings: Any) -> str:
    """A hash of the settings and of the files' names and contents, but not of their folders."""
    digest = hashlib.sha256(repr((FORMAT, sorted(settings.items()))).encode())
    for path in sorted(map(path_of, files), key=lambda path: path.name):
        digest.update(fingerprint_of(path.parent, [path]).encode())
    return digest.hexdigest()


def predict_batches(
    predict: Predict,
    index: RecordIndex,
    batches: Sequence[np.ndarray],
    has_3d: bool,
    img_size: int,
) -> Iterator[Arrays]:
    """Predicts records and yields, batch by batch, what `save` keeps of them.

    Args:
        predict: see `validation.Predict`; its result must also have `theta` and `cams`.
        index, batches, has_3d, img_size: see `reading.read_batches`.

    Raises:
        FloatingPointError: the model predicts NaN or infinity.
    """
    read = reading.read_batches(index, batches, has_3d=has_3d, img_size=img_size)
    for numbers, batch in zip(batches, read, strict=True):
        out = predict(batch["image"])
        arrays = {f"prediction/{name}": np.asarray(out[name]) for name in KEPT}
        for name, values in arrays.items():
            if not np.isfinite(values).all():
                raise FloatingPointError(
                    f"The model's {name} is not finite for pictures of "
                    f"{index.paths[index.file_of[numbers[0]]]}: its weights are damaged or its "
                    "training diverged."
                )
        truth = {f"truth/{name}": values for name, values in batch.items() if name != "image"}
        yield {**arrays, **truth}


def load_all(shelf: Mapping[str, Kept]) -> dict[str, Arrays]:
    """The predictions that are there and still valid, by the names of their recordings."""
    loaded = {name: load(kept.path, kept.key) for name, kept in shelf.items()}
    return {name: arrays for name, arrays in loaded.items() if arrays is not None}


def load(path: pathlib.Path, key: str) -> Arrays | None:
    """The arrays of a file that `save` wrote; None if none has the fingerprint `key`."""
    if not path.is_file():
        return None
    try:
        with h5py.File(path) as file:
            if file.attrs.get("fingerprint") != key:
                logging.info("%s is of other weights, records or settings: predicting again", path)
                return None
            arrays = {}
            file.visititems(
                lambda name, item: (
                    arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
                )
            )
            return arrays
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        logging.warning("%s is damaged (%s): predicting again", path, error)
        return None


def save(path: pathlib.Path, arrays: Arrays, key: str) -> None:
    """Writes the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with hdf5.new_file(path) as file:
        file.attrs["fingerprint"] = key
        for name, values in arrays.items():
            # Text of any length is an object array of bytes, which HDF5 must be told.
            kind = h5py.string_dtype() if values.dtype == object else values.dtype
            file.create_dataset(name, data=values, dtype=kind)
