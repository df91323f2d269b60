"""Reads and checks the two files of the body: the SMPL pickle and the mean parameters."""

import os
from typing import Any

import h5py
import numpy as np

from tfrecords_tools.paths import local_copy, path_of
from tfrecords_tools.pickles import safe_pickle
from tfrecords_tools.pickles.chumpy_array import ChumpyArray

MEAN_PARAMS_FILE = "neutral_smpl_mean_params.h5"
NUM_JOINTS = 24

# V vertices, B shape directions, K keypoints, F faces; 9 pose directions for each joint but the
# root.
SHAPES = {
    "v_template": ("V", 3),
    "shapedirs": ("V", 3, "B"),
    "posedirs": ("V", 3, 9 * (NUM_JOINTS - 1)),
    "J_regressor": (NUM_JOINTS, "V"),
    "weights": ("V", NUM_JOINTS),
    "kintree_table": (2, NUM_JOINTS),
    "cocoplus_regressor": ("K", "V"),
    "f": ("F", 3),
}
INTEGER_KEYS = ("kintree_table", "f")
# Names in a message, and letters of each.
_SHOWN = 40
MEAN_SIZES = {"pose": 3 * NUM_JOINTS, "shape": 10}
_MAX_CHUNK = 1 << 20


def load_smpl_file(path: str | os.PathLike) -> dict:
    """Reads an SMPL model as its authors pickled it, without chumpy and without running its code.

    Args:
        path: `neutral_smpl_with_cocoplus_reg.pkl` or a file with the same keys, written by
            Python 2 or 3.

    Returns:
        The file's numeric entries: float64 arrays (int64 for `kintree_table` and `f`); sparse
        matrices stay sparse. At least v_template [V, 3], shapedirs [V, 3, B], posedirs
        [V, 3, 207], J_regressor [24, V], weights [V, 24], kintree_table [2, 24],
        cocoplus_regressor [K, V], f [F, 3].

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, holds something that is not allowed, lacks an entry, or has one
            of the wrong shape; the message names the file and the cause.
    """
    path = path_of(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no SMPL file {path}. Give --smpl_model_path=FILE: the authors' "
            "neutral_smpl_with_cocoplus_reg.pkl, or the stand-in body of `python -m "
            "hmr_tf2.standin`."
        )
    with local_copy(path) as local:
        content = safe_pickle.load(local)
    if not isinstance(content, dict):
        raise ValueError(
            f"{path}: an SMPL file holds a dict with {', '.join(SHAPES)}; "
            f"this one holds a {type(content).__name__} instead."
        )
    missing = [key for key in SHAPES if key not in content]
    if missing:
        raise ValueError(
            f"{path} lacks {', '.join(missing)}; "
            f"it holds {_listed(sorted(map(str, content)))}. "
            "HMR needs neutral_smpl_with_cocoplus_reg.pkl from the authors' model download."
        )
    # An array that stands under several names is converted once, or a small file would make many.
    converted: dict[tuple, Any] = {}
    body = {}
    for key, value in content.items():
        if key in SHAPES or _is_array(value):
            kind = np.int64 if key in INTEGER_KEYS else np.float64
            if (id(value), kind) not in converted:
                converted[id(value), kind] = _numbers_or_reason(value, kind)
            numbers, reason = converted[id(value), kind]
            if reason is None:
                body[key] = numbers
            elif key in SHAPES:
                raise ValueError(f"{path}: {key!r} does not hold numbers: {reason}")
    _check_shapes(path, body)
    _check_values(path, body)
    return body


def load_mean_params(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads `neutral_smpl_mean_params.h5`: float64 `pose` [72] and `shape` [10].

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not an HDF5 file, or `pose` or `shape` is missing, misshapen or not
            finite.
    """
    path = path_of(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing. It holds the mean pose and shape that the regressor starts from. "
            "Put it beside the SMPL file; it comes with the authors' model download."
        )
    try:
        with local_copy(path) as local, h5py.File(local, "r") as file:
            mean = {key: _read_mean(path, file, key, size) for key, size in MEAN_SIZES.items()}
    except (OSError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} is not a file of mean parameters: {error}") from error
    for key, size in MEAN_SIZES.items():
        if not np.isfinite(mean[key]).all():
            raise ValueError(
                f"{path}: {key!r} must be {size} finite numbers; got NaN or infinity."
            )
    return mean


def _read_mean(path, file, key, size) -> np.ndarray:
    """A data set of `size` numbers; nothing is read before its shape and type are known."""
    found = file[key]
    if getattr(found, "shape", None) != (size,) or found.dtype.kind not in "iuf":
        raise ValueError(
            f"{path}: {key!r} must be {size} finite numbers; got shape "
            f"{getattr(found, 'shape', None)}."
        )
    # A file may announce far larger pieces than it has, which HDF5 reads as a whole.
    if found.chunks and found.chunks[0] > _MAX_CHUNK:
        raise ValueError(f"{path}: {key!r} is stored in pieces of {found.chunks[0]} numbers.")
    return np.asarray(found, np.float64)


def mean_theta(smpl_model_path: str | os.PathLike) -> np.ndarray:
    """The regressor's start (1, 85), from the file beside the SMPL file.

    It is the camera `[0.9, 0, 0]`, the mean pose with its root replaced by a turn of pi around x,
    and the mean shape (akanazawa/hmr src/trainer.py, load_mean_param).
    """
    # SMPL's y points up and a picture's y down: without the turn the body would be on its head.
    mean = load_mean_params(path_of(smpl_model_path).with_name(MEAN_PARAMS_FILE))
    return np.concatenate([[0.9, 0.0, 0.0], [np.pi, 0.0, 0.0], mean["pose"][3:], mean["shape"]])[
        np.newaxis
    ]


def _is_array(value) -> bool:
    return isinstance(value, np.ndarray | ChumpyArray) or hasattr(value, "tocsc")


def _numbers_or_reason(value, kind) -> tuple[Any, str | None]:
    """`value` as an array or sparse matrix of `kind`; or why it is not one."""
    try:
        # Nested lists are not taken: a small file can share their parts and mean endless ones.
        if not _is_array(value):
            return None, f"it is of type {type(value).__name__}, not an array"
        return (value if hasattr(value, "tocsc") else np.asarray(value)).astype(kind), None
    except (TypeError, ValueError) as error:
        return None, str(error)


def _listed(names) -> str:
    """Some names, for a message."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(name[:_SHOWN] for name in names[:_SHOWN]) + more or "nothing"


def _check_shapes(path, body):
    sizes = {}
    for key, expected in SHAPES.items():
        shape = body[key].shape
        fits = len(shape) == len(expected) and all(
            size == (sizes.setdefault(name, size) if isinstance(name, str) else name)
            for size, name in zip(shape, expected, strict=False)
        )
        if not fits:
            names = ", ".join(
                f"{name}={sizes[name]}" if name in sizes else str(name) for name in expected
            )
            raise ValueError(f"{path}: {key!r} must have the shape ({names}); got {shape}.")
    if 0 in sizes.values() or sizes["K"] < 14:
        raise ValueError(
            f"{path}: a body needs vertices, faces, shape directions and at least 14 keypoints; "
            f"got {', '.join(f'{name}={size}' for name, size in sizes.items())}."
        )


def _check_values(path, body):
    for key in SHAPES:
        value = body[key].data if hasattr(body[key], "tocsc") else body[key]
        if not np.isfinite(value).all():
            raise ValueError(f"{path}: {key!r} holds NaN or infinity.")
    num_vertices = len(body["v_template"])
    if body["f"].min() < 0 or body["f"].max() >= num_vertices:
        raise ValueError(
            f"{path}: 'f' must index the {num_vertices} vertices; "
            f"got {body['f'].min()} to {body['f'].max()}."
        )
    parents = body["kintree_table"][0, 1:]
    if (parents < 0).any() or (parents >= np.arange(1, NUM_JOINTS)).any():
        raise ValueError(
            f"{path}: 'kintree_table' must give every joint a parent that comes before it; "
            f"got {parents.tolist()}."
        )
