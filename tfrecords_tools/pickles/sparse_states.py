"""Fills SciPy's sparse matrices from what a pickle says is in them, after checking all of it.

SciPy's compiled code trusts indices, and a few bytes of a pickle can announce any shape, or refer
to one long list as every row. So everything is counted, paid for and compared with the shape
first.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from tfrecords_tools.pickles.budget import Budget

FORMATS = ("csc", "csr", "coo", "bsr", "dia", "lil", "dok")
_NUMBERS = "biufc"
# Each row and column may get a pointer, also when the matrix is converted.
_LINE_BYTES = 8
# The two lists of a row of a lil matrix.
_ROW_BYTES = 128
# An entry of a lil or dok matrix: its places and its value are objects of Python.
_ENTRY_BYTES = 256


class _Entries(NamedTuple):
    """The entries of a matrix: arrays [N]."""

    values: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def set_state(matrix: Any, state: object, budget: Budget) -> None:
    """Fills an empty sparse matrix, or sparse array, of one of `FORMATS`.

    Args:
        matrix: what `__new__` of its class returned.
        state: the attributes of the pickled matrix, whatever SciPy wrote it.
        budget: pays for what the matrix takes.

    Raises:
        ValueError: the state is incomplete, or its parts contradict each other.
    """
    if not isinstance(state, dict):
        raise ValueError(
            f"the state of a sparse matrix is of type {type(state).__name__}, expected a dict"
        )
    shape = _shape(state)
    budget.spend(_LINE_BYTES * sum(shape))
    kind = matrix.format
    if kind in ("lil", "dok"):
        read = _entries_of_lil if kind == "lil" else _entries_of_dok
        # What came with the matrix itself, before its state, is in the same place.
        content = state.get("_dict", matrix.__dict__.get("_dict")) if kind == "dok" else state
        entries = read(content, shape, _dtype(state), budget)
        places = (entries.rows, entries.columns)
        matrix.__init__(scipy.sparse.coo_matrix((entries.values, places), shape=shape))
    elif kind == "coo":
        # Newer SciPy keeps the two together.
        row, column = (
            state["coords"] if "coords" in state else (state.get("row"), state.get("col"))
        )
        data, row, column = (_part(state.get("data"), 1), _index(row), _index(column))
        matrix.__init__((data, (row, column)), shape=shape)
    elif kind == "dia":
        matrix.__init__(_diagonals(state, shape), shape=shape)
    else:
        data = _part(state.get("data"), 3 if kind == "bsr" else 1)
        if kind == "bsr":
            _check_blocks(data.shape, shape)
        parts = (data, _index(state.get("indices")), _index(state.get("indptr")))
        matrix.__init__(parts, shape=shape)
        # SciPy's own full check keeps bad indices out of C code.
        matrix.check_format(full_check=True)


def _shape(state: dict) -> tuple[int, int]:
    shape = state.get("_shape", state.get("shape"))
    if not isinstance(shape, tuple) or len(shape) != 2:
        raise ValueError("a sparse matrix has an impossible shape")
    if not all(isinstance(size, int | np.integer) and size >= 0 for size in shape):
        raise ValueError("a sparse matrix has an impossible shape")
    return int(shape[0]), int(shape[1])


def _dtype(state: dict) -> np.dtype:
    dtype = state.get("dtype", np.dtype(np.float64))
    if not isinstance(dtype, np.dtype) or dtype.kind not in _NUMBERS:
        raise ValueError("a sparse matrix does not hold numbers")
    return dtype.newbyteorder("=")


def _part(array: Any, dimensions: int, kinds: str = _NUMBERS) -> np.ndarray:
    """An array of the state, contiguous and in this machine's byte order."""
    if (
        not isinstance(array, np.ndarray)
        or array.ndim != dimensions
        or array.dtype.kind not in kinds
    ):
        raise ValueError("a sparse matrix lacks its data or index arrays")
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _index(array: Any) -> np.ndarray:
    return _part(array, 1, "iu")


def _check_blocks(blocks: tuple[int, ...], shape: tuple[int, int]) -> None:
    sizes = blocks[1:]
    if min(sizes) < 1 or any(length % size for length, size in zip(shape, sizes, strict=True)):
        raise ValueError(f"a sparse matrix of shape {shape} cannot have blocks of {sizes}")


def _diagonals(state: dict, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    data, offsets = _part(state.get("data"), 2), _index(state.get("offsets"))
    if len(offsets) != len(data) or len(np.unique(offsets)) != len(offsets):
        raise ValueError("a sparse matrix lacks its diagonals or has one twice")
    if any(abs(int(offset)) > sum(shape) for offset in offsets):
        raise ValueError("a sparse matrix has a diagonal outside of it")
    return data, offsets


def _entries_of_lil(
    state: dict, shape: tuple[int, int], dtype: np.dtype, budget: Budget
) -> _Entries:
    """The entries of lists of columns and lists of values, one of each a row."""
    columns, values = (_lists(state.get(key), shape[0]) for key in ("rows", "data"))
    lengths = [len(row) for row in columns]
    if lengths != [len(row) for row in values]:
        raise ValueError("a sparse matrix has rows of other lengths than their values")
    # Before they are joined: all rows may be the same list.
    budget.spend(_ROW_BYTES * shape[0] + _ENTRY_BYTES * sum(lengths))
    rows = np.repeat(np.arange(shape[0]), lengths)
    joined_columns = [column for row in columns for column in row]
    joined_values = [value for row in values for value in row]
    return _Entries(_numbers(joined_values, dtype), rows, _places(joined_columns, shape[1]))


def _lists(array: Any, count: int) -> list[list]:
    if not isinstance(array, np.ndarray) or array.dtype != object or array.shape != (count,):
        raise ValueError("a sparse matrix lacks the lists of its rows")
    lists = array.tolist()
    if not all(type(row) is list for row in lists):
        raise ValueError("a sparse matrix lacks the lists of its rows")
    return lists


def _entries_of_dok(
    items: Any, shape: tuple[int, int], dtype: np.dtype, budget: Budget
) -> _Entries:
    """The entries of a dict from (row, column) to value."""
    if type(items) is not dict:
        raise ValueError("a sparse matrix lacks its entries")
    budget.spend(_ENTRY_BYTES * len(items))
    if not all(type(place) is tuple and len(place) == 2 for place in items):
        raise ValueError("a sparse matrix has an entry without a place")
    return _Entries(
        _numbers(list(items.values()), dtype),
        _places([row for row, _ in items], shape[0]),
        _places([column for _, column in items], shape[1]),
    )


def _numbers(values: list, dtype: np.dtype) -> np.ndarray:
    if not all(
        isinstance(value, int | float | complex | np.number | np.bool_) for value in values
    ):
        raise ValueError("a sparse matrix does not hold numbers")
    return np.array(values, dtype)


def _places(numbers: list, length: int) -> np.ndarray:
    if not all(isinstance(n, int | np.integer) and 0 <= n < length for n in numbers):
        raise ValueError("a sparse matrix has an entry outside of it")
    return np.array(numbers, np.int64)
