"""Reads NumPy's own files (.npy, .npz) from elsewhere: no pickles, no more memory than they hold.

NumPy allocates what a file announces before it looks for it, and an archive of a few kilobytes may
hold gigabytes of zeros.
"""

import io
import math
import os
import zipfile
from typing import IO, Any

import numpy as np
import scipy.sparse

from tfrecords_tools.paths import local_copy, path_of
from tfrecords_tools.pickles import sparse_states
from tfrecords_tools.pickles.budget import Budget

LEAST_BYTES = 256 << 20
BYTES_PER_BYTE = 8
_MAX_MEMBERS = 1000


def load_npy(path: str | os.PathLike) -> np.ndarray:
    """The array of a .npy file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, or holds Python objects; the message names it.
    """
    with local_copy(path_of(path)) as local, open(local, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            return read_array(file, size)
        except (ValueError, EOFError, MemoryError, SyntaxError, TypeError) as error:
            raise ValueError(
                f"{path} cannot be read as a NumPy array: {_reason(error)}"
            ) from error


def load_npz(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The arrays of a .npz file.

    Returns:
        name -> array; and the names of those that hold Python objects, which are not read.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, or would take more memory than a file of its size should; the
            message names it.
    """
    with local_copy(path_of(path)) as local:
        content = local.read_bytes()
    try:
        return _read_members(content)
    except Exception as error:  # zipfile raises its own, zlib's, struct's and NotImplementedError
        raise ValueError(
            f"{path} cannot be read as an archive of NumPy arrays: {_reason(error)}"
        ) from error


def _read_members(content: bytes) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    arrays: dict[str, np.ndarray] = {}
    objects: list[str] = []
    # From memory, where a damaged place in the archive is no error of the system.
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        allowed = LEAST_BYTES + BYTES_PER_BYTE * len(content)
        if len(members) > _MAX_MEMBERS or sum(m.file_size for m in members) > allowed:
            raise ValueError("it holds more than a file of its size should")
        for member in members:
            if not member.filename.endswith(".npy"):
                continue
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as file:
                # No more is read than the archive's list of contents says.
                data = file.read(member.file_size)
            try:
                arrays[name] = read_array(io.BytesIO(data), len(data))
            except _HoldsObjects:
                objects.append(name)
    return arrays, tuple(objects)


def sparse_matrix(arrays: dict[str, np.ndarray]) -> Any:
    """The matrix that `scipy.sparse.save_npz` wrote; None if it wrote no such arrays.

    Raises:
        ValueError: its parts contradict each other.
    """
    if not {"format", "shape", "data"} <= arrays.keys():
        return None
    kind = arrays["format"].tolist()
    kind = kind.decode("latin1") if isinstance(kind, bytes) else str(kind)
    if kind not in ("csc", "csr", "coo", "bsr", "dia"):
        raise ValueError(f"it holds a sparse matrix of the unknown format {kind[:10]!r}")
    cls = getattr(scipy.sparse, f"{kind}_matrix")
    matrix = cls.__new__(cls)
    state = {**arrays, "shape": tuple(arrays["shape"].ravel().tolist())}
    state.pop("_shape", None)
    size = sum(array.nbytes for array in arrays.values())
    sparse_states.set_state(matrix, state, Budget(size))
    return matrix


class _HoldsObjects(ValueError):  # noqa: N818
    """An array of Python objects: a pickle, which could run code."""


def read_array(file: IO[bytes], size: int) -> np.ndarray:
    """Reads an array after its announced size was compared with what is there.

    Args:
        file: at the beginning of what a .npy file holds.
        size: bytes from there to the end.

    Raises:
        ValueError: it announces more or less, or holds Python objects.
    """
    version = np.lib.format.read_magic(file)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran_order, dtype = read(file)
    if dtype.hasobject:
        raise _HoldsObjects("it holds Python objects rather than numbers, which may run code")
    if any(length < 0 for length in shape):
        raise ValueError(f"an array has the impossible shape {shape}")
    count = math.prod(shape)
    if dtype.itemsize == 0 or count * dtype.itemsize != size - file.tell():
        raise ValueError(
            f"an array of shape {shape} and type {dtype} has {size - file.tell()} bytes of data"
        )
    content = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return content.reshape(shape, order="F" if fortran_order else "C").copy()


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    return str(error).partition("\n")[0] or "its content makes no sense"
