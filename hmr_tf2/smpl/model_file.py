"""Reads and checks the two files of the body: the SMPL pickle and the mean parameters."""

import os
from typing import Any

import h5py
import numpy as np
import scipy.sparse

from hmr_tf2.smpl.keypoint_regressor import load_keypoint_regressor
from tfrecords_tools import array_files, file_kinds, joints
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
REGRESSOR = "cocoplus_regressor"
# Number of joints -> the body model that has so many.
OTHER_MODELS = {
    5: "FLAME",
    16: "MANO",
    33: "SMAL",
    35: "SMAL",
    52: "SMPL-H",
    55: "SMPL-X",
}
OTHER_KEYS = ("weights", "J_regressor", "kintree_table", "posedirs")
_MOST_KEYPOINTS = 1000
# Names in a message, and letters of each.
_SHOWN = 40
MEAN_SIZES = {"pose": 3 * NUM_JOINTS, "shape": 10}
_MAX_CHUNK = 1 << 20


def load_smpl_file(
    path: str | os.PathLike,
    keypoint_regressor: str | os.PathLike | None = None,
    num_keypoints: int = len(joints.COCO_PLUS),
) -> dict:
    """Reads an SMPL model as its authors stored it, without chumpy and without running its code.

    Args:
        path: `neutral_smpl_with_cocoplus_reg.pkl` or a file with the same keys, written by
            Python 2 or 3; with a `keypoint_regressor` also an official SMPL file (1.0 or 1.1,
            .pkl or .npz), which has no `cocoplus_regressor`.
        keypoint_regressor: file from which to make `cocoplus_regressor`, see
            `keypoint_regressor.load_keypoint_regressor`; None means the one in `path`.
        num_keypoints: how many of the keypoints of COCO+ to make from it.

    Returns:
        The file's numeric entries: float64 arrays (int64 for `kintree_table` and `f`); sparse
        matrices stay sparse. At least v_template [V, 3], shapedirs [V, 3, B], posedirs
        [V, 3, 207], J_regressor [24, V], weights [V, 24], kintree_table [2, 24],
        cocoplus_regressor [K, V], f [F, 3].

    Raises:
        OSError: a file cannot be read.
        ValueError: one is damaged, holds something that is not allowed, lacks an entry, or has
            one of the wrong shape; the message names the file and the cause.
    """
    body = load_body(path)
    if keypoint_regressor:
        body[REGRESSOR] = load_keypoint_regressor(keypoint_regressor, body, num_keypoints)
    elif REGRESSOR not in body:
        raise ValueError(
            f"{path} lacks {REGRESSOR}; it is a body of SMPL without the keypoints of HMR. "
            "Either give --keypoint_regressor=FILE too, such as SPIN's J_regressor_extra.npy "
            "(`python -m hmr_tf2.add_keypoints` makes one file of both), or take "
            "neutral_smpl_with_cocoplus_reg.pkl from the authors' model download."
        )
    return body


def load_body(path: str | os.PathLike) -> dict:
    """`load_smpl_file` for those who need no keypoints: `cocoplus_regressor` may be missing."""
    path = path_of(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no SMPL file {path}. Give --smpl_model_path=FILE: the authors' "
            "neutral_smpl_with_cocoplus_reg.pkl, SMPL's own with --keypoint_regressor=FILE, or "
            "the stand-in body of `python -m hmr_tf2.standin`."
        )
    content, objects = _content(path)
    if not isinstance(content, dict):
        raise ValueError(
            f"{path}: an SMPL file holds a dict with {', '.join(SHAPES)}; "
            f"this one holds a {type(content).__name__} instead."
        )
    other = _other_model(content)
    if other:
        raise ValueError(
            f"{path} is a model of {other}; HMR's body is SMPL, with {NUM_JOINTS} joints. "
            "Download SMPL (version 1.0 or 1.1, for Python) from smpl.is.tue.mpg.de, or take the "
            "authors' neutral_smpl_with_cocoplus_reg.pkl."
        )
    missing = [key for key in SHAPES if key not in content and key != REGRESSOR]
    if missing:
        way_out = "HMR needs neutral_smpl_with_cocoplus_reg.pkl from the authors' model download."
        if set(missing) & set(objects):
            way_out = (
                f"Of {', '.join(objects)} it holds Python objects, which are not read, since they "
                "may run code: give the .pkl of the same body."
            )
        raise ValueError(
            f"{path} lacks {', '.join(missing)}; "
            f"it holds {_listed(sorted(map(str, content)))}. {way_out}"
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


def _content(path) -> tuple[Any, tuple[str, ...]]:
    """What the file holds, and the names in it that hold Python objects and are not read."""
    with local_copy(path) as local:
        kind = file_kinds.kind_of_file(local)
        if kind == file_kinds.NPZ and path.suffix.lower() == ".npz":
            return array_files.load_npz(local)
        if kind not in (None, file_kinds.PICKLE):
            raise ValueError(f"{path} is {kind}, not an SMPL file. {_remedy(kind)}")
        return safe_pickle.load(local), ()


def _remedy(kind: str) -> str:
    wanted = (
        "the SMPL file (the authors' neutral_smpl_with_cocoplus_reg.pkl, or SMPL's own from "
        "smpl.is.tue.mpg.de)"
    )
    if kind == file_kinds.NPZ:
        return f"If it is SMPL's own .npz, rename it to end in .npz; otherwise give {wanted}."
    return file_kinds.remedy(kind, wanted)


def _other_model(content: dict) -> str | None:
    """Which other body model a dict is, if it is one that is known."""
    shapes = {key: getattr(content.get(key), "shape", ()) for key in OTHER_KEYS}
    for key, axis in (("weights", 1), ("J_regressor", 0), ("kintree_table", 1)):
        if len(shapes[key]) == 2 and shapes[key][axis] in OTHER_MODELS:
            number = shapes[key][axis]
            return f"{OTHER_MODELS[number]}, with {number} joints"
    if len(shapes["posedirs"]) == 3 and shapes["posedirs"][2] == 4 * (NUM_JOINTS - 1) + 1:
        return "STAR, whose pose directions are others"
    return None


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
            "Put it beside the SMPL file; it comes with the authors' model download. Or let "
            "`python -m hmr_tf2.add_keypoints` make it of SPIN's smpl_mean_params.npz."
        )
    try:
        with local_copy(path) as local:
            kind = file_kinds.kind_of_file(local)
            if kind not in (None, file_kinds.HDF5):
                raise ValueError(
                    f"{path} is not a file of mean parameters: it is {kind}. "
                    + (
                        "If it is SPIN's smpl_mean_params.npz, `python -m hmr_tf2.add_keypoints` "
                        "makes the file of it."
                        if kind == file_kinds.NPZ
                        else file_kinds.remedy(kind, MEAN_PARAMS_FILE)
                    )
                )
            with h5py.File(local, "r") as file:
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
        if not hasattr(value, "tocsc"):
            return np.asarray(value).astype(kind), None
        # Of one format, whichever it was stored in.
        return scipy.sparse.csc_matrix(value.tocsc()).astype(kind), None
    except (TypeError, ValueError) as error:
        return None, str(error)


def _listed(names) -> str:
    """Some names, for a message."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(name[:_SHOWN] for name in names[:_SHOWN]) + more or "nothing"


def _check_shapes(path, body):
    sizes = {}
    for key, expected in _present(body).items():
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
    if 0 in sizes.values() or not 14 <= sizes.get("K", 14) <= _MOST_KEYPOINTS:
        raise ValueError(
            f"{path}: a body needs vertices, faces, shape directions and at least 14 keypoints; "
            f"got {', '.join(f'{name}={size}' for name, size in sizes.items())}."
        )


def _present(body) -> dict[str, tuple]:
    return {key: shape for key, shape in SHAPES.items() if key in body}


def _check_values(path, body):
    for key in _present(body):
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
