"""Writes the two files of the body so that the original's programs read them, too."""

import io
import os
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse
from scipy.spatial.transform import Rotation

from hmr_tf2.smpl.model_file import (
    MEAN_PARAMS_FILE,
    MEAN_SIZES,
    NUM_JOINTS,
    REGRESSOR,
    SHAPES,
    load_mean_params,
)
from tfrecords_tools import array_files, file_kinds, hdf5
from tfrecords_tools.files import write_bytes
from tfrecords_tools.paths import local_copy, path_of

NUM_BETAS = 10
# Where newer versions of the libraries keep what older ones, which read the file, had elsewhere.
_OLD_MODULES = {
    "numpy._core.multiarray": "numpy.core.multiarray",
    "scipy.sparse._csc": "scipy.sparse.csc",
}


def write_smpl_file(path: str | os.PathLike, body: Mapping[str, Any]) -> None:
    """Writes a body as the authors' `neutral_smpl_with_cocoplus_reg.pkl`: arrays, no chumpy.

    The original multiplies with all the shape directions that there are, so that only the first
    10 are written.

    Args:
        path: the file to write.
        body: what `load_smpl_file` returned.

    Raises:
        NotWrittenError: the file cannot be written.
    """
    content = {key: body[key] for key in SHAPES}
    content["shapedirs"] = np.ascontiguousarray(body["shapedirs"][..., :NUM_BETAS])
    for key in ("J_regressor", REGRESSOR):
        content[key] = scipy.sparse.csc_matrix(body[key])
    content["f"] = body["f"].astype(np.uint32)
    # The joints of the template, and the names of SMPL's kind of skinning, as its programs want.
    content["J"] = content["J_regressor"] @ body["v_template"]
    content |= {"bs_type": "lrotmin", "bs_style": "lbs"}
    file = io.BytesIO()
    _OldNames(file, protocol=2).dump(content)
    write_bytes(path, file.getvalue())


class _OldNames(pickle._Pickler):
    """Python's own pickler, which names what it refers to as Python 2's libraries did.

    It derives from the one in pure Python: the one in C does not let the names be changed.
    """

    def save_global(self, obj, name=None):
        module = _OLD_MODULES.get(getattr(obj, "__module__", None) or "")
        if module is None:
            super().save_global(obj, name)
        else:
            self.write(b"c" + f"{module}\n{name or obj.__qualname__}\n".encode("ascii"))
            self.memoize(obj)


def write_mean_params(path: str | os.PathLike, mean: Mapping[str, np.ndarray]) -> None:
    """Writes `pose` [72] and `shape` [10] as `neutral_smpl_mean_params.h5`."""
    with hdf5.new_file(path) as file:
        for key in MEAN_SIZES:
            file[key] = np.asarray(mean[key], np.float64)


def read_mean_params(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The mean parameters of `neutral_smpl_mean_params.h5`, or of SPIN's `smpl_mean_params.npz`.

    SPIN's file has the first two columns of each joint's rotation matrix, row by row ([144], see
    its `rot6d_to_rotmat`); HMR's has axis-angle vectors.

    Returns:
        float64 `pose` [72], axis-angle in radians, and `shape` [10].

    Raises:
        OSError: the file cannot be read.
        ValueError: it is neither, or its arrays have other shapes or are not finite.
    """
    path = path_of(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file of mean parameters {path}. --mean_params accepts the authors' "
            f"{MEAN_PARAMS_FILE} or SPIN's smpl_mean_params.npz."
        )
    with local_copy(path) as local:
        if file_kinds.kind_of_file(local) != file_kinds.NPZ:
            return load_mean_params(path)
        arrays, _ = array_files.load_npz(local)
    pose, shape = (_numbers(path, arrays, key) for key in ("pose", "shape"))
    if shape.size != MEAN_SIZES["shape"] or pose.size not in (MEAN_SIZES["pose"], 6 * NUM_JOINTS):
        raise ValueError(
            f"{path}: 'pose' must have 144 numbers (or 72) and 'shape' 10; got {pose.size} and "
            f"{shape.size}."
        )
    if pose.size == 6 * NUM_JOINTS:
        try:
            pose = rotation_vectors(pose.reshape(NUM_JOINTS, 3, 2)).ravel()
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return {"pose": pose, "shape": shape}


def _numbers(path, arrays, key) -> np.ndarray:
    array = arrays.get(key)
    if array is None or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ValueError(
            f"{path} must hold finite numbers {key!r}, as SPIN's smpl_mean_params.npz does; it "
            f"holds {', '.join(sorted(arrays)) or 'nothing'}."
        )
    return array.astype(np.float64).ravel()


def rotation_vectors(columns: np.ndarray) -> np.ndarray:
    """Axis-angle vectors [..., 3] of the rotations whose first two columns are nearly [..., 3, 2].

    As Zhou et al. 2019 ("On the Continuity of Rotation Representations"), equation 15: the first
    column is scaled to length 1, the second made perpendicular to it.

    Raises:
        ValueError: a column is zero, or the two are parallel.
    """
    first = _unit(columns[..., 0])
    along = np.sum(first * columns[..., 1], axis=-1, keepdims=True)
    second = _unit(columns[..., 1] - along * first)
    matrices = np.stack([first, second, np.cross(first, second)], axis=-1)
    return Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec().reshape(first.shape)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if (length < 1e-6).any():
        raise ValueError("the columns of a rotation are zero or parallel")
    return vectors / length
