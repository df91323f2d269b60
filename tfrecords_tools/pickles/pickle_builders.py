"""What a pickle of arrays may name, and what each name builds: the allow-list of `safe_pickle`."""

import collections
import dataclasses
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from tfrecords_tools.pickles import sparse_states
from tfrecords_tools.pickles.budget import Budget, describe
from tfrecords_tools.pickles.chumpy_array import ChumpyArray

_MAX_DIMENSIONS = 32
_MAX_SIZE = 1 << 40
# Of an element of a list that becomes a set or a dictionary.
_ELEMENT_BYTES = 128
_DTYPE_CODE = re.compile(r"[|<>=]?[biufcSUO](\d{1,4})?\Z")


class Unsafe(Exception):  # noqa: N818 - becomes `safe_pickle.UnsafePickleError` at the border
    """The file asks for something that is not allowed; the message names it."""


@dataclasses.dataclass(frozen=True)
class Global:
    """A name that the pickle refers to. It is never imported and cannot be called."""

    name: str


class Dtype:
    """A NumPy dtype as it is being read: never NumPy's shared object, which could be altered."""

    def __init__(self, code: str):
        if not isinstance(code, str) or not _DTYPE_CODE.match(code):
            raise Unsafe(f"a NumPy dtype {describe(code)}")
        self.dtype = np.dtype(code)

    def set_state(self, state: tuple) -> None:
        byte_order, fields = state[1], state[2:5]
        if byte_order not in ("<", ">", "|", "=") or any(part is not None for part in fields):
            raise Unsafe("a structured NumPy dtype")
        if byte_order in "<>":
            self.dtype = self.dtype.newbyteorder(byte_order)


# Arrays of classes of NumPy's own, which come as plain ones: `*` of a `numpy.matrix` would not be
# that of an array, and a `numpy.memmap` has no file here.
_ARRAY_CLASSES = {
    "numpy.ndarray",
    *("numpy.matrix", "numpy.matrixlib.defmatrix.matrix", "numpy.core.defmatrix.matrix"),
    *("numpy.memmap", "numpy.core.memmap.memmap", "numpy._core.memmap.memmap"),
}


def _array_shell(arguments: tuple) -> np.ndarray:
    if not isinstance(arguments[0], Global) or arguments[0].name not in _ARRAY_CLASSES:
        raise Unsafe(f"an array of class {_name_of(arguments[0])}")
    return np.empty((0,), np.int8)


def _set_array_state(array: np.ndarray, state: tuple) -> None:
    """Fills `array` after the announced size was compared with the data that is there."""
    shape, dtype, fortran, data = state[-4:]
    content: Any = _checked_content(shape, dtype, data)
    array.__setstate__((1, *content, bool(fortran), _raw(data)))


def _raw(data: Any) -> Any:
    return data.encode("latin1") if isinstance(data, str) else data


def _checked_content(shape: Any, dtype: object, data: Any) -> tuple[tuple, np.dtype]:
    dtype = _dtype(dtype)
    if not isinstance(shape, tuple) or len(shape) > _MAX_DIMENSIONS:
        raise ValueError("an array has an impossible shape")
    if not all(type(size) is int and 0 <= size <= _MAX_SIZE for size in shape):
        raise ValueError("an array has an impossible shape")
    count = 1
    for size in shape:
        count *= size
    if dtype.hasobject:
        enough = isinstance(data, list) and len(data) == count
    else:
        # An item of no size would let a few bytes announce any number of items.
        enough = dtype.itemsize > 0 and isinstance(data, (str, bytes, bytearray))
        enough = enough and len(data) == count * dtype.itemsize
    if not enough:
        have = len(data) if hasattr(data, "__len__") else type(data).__name__
        raise ValueError(f"an array of shape {shape} and type {dtype} has {have} bytes of data")
    return shape, dtype


def _dtype(value: object) -> np.dtype:
    if not isinstance(value, Dtype):
        raise ValueError(f"expected a NumPy dtype, got an object of type {type(value).__name__}")
    return value.dtype


def _scalar(arguments: tuple) -> np.generic:
    dtype, data = arguments
    _, dtype = _checked_content((), dtype, data)
    if dtype.hasobject:
        raise Unsafe("a NumPy scalar of objects")
    return np.frombuffer(_raw(data), dtype)[0]


def _from_buffer(arguments: tuple) -> np.ndarray:
    data, dtype, shape, order = arguments
    shape, dtype = _checked_content(shape, dtype, data)
    if dtype.hasobject or order not in ("C", "F"):
        raise Unsafe("an array of objects in a buffer")
    return np.frombuffer(data, dtype).reshape(shape, order=order).copy(order=order)


def _encode(arguments: tuple) -> bytes:
    text, encoding = arguments
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Unsafe(f"an encoding to {describe(encoding)}")
    return text.encode("latin1")


def _no_bytes(arguments: tuple) -> bytes:
    """Python 3 writes empty bytes as a call of `bytes` for Python 2."""
    if arguments:
        raise Unsafe("a call of `bytes`")
    return b""


def _ordered_dict(arguments: tuple) -> collections.OrderedDict:
    pairs = arguments[0] if arguments else []
    if not isinstance(pairs, list) or not all(map(_is_named_value, pairs)):
        raise Unsafe("an OrderedDict of anything but named values")
    return collections.OrderedDict(tuple(pair) for pair in pairs)


def _is_named_value(pair: object) -> bool:
    return isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str)


def _set_of_names(arguments: tuple) -> set:
    values = arguments[0] if arguments else []
    if not isinstance(values, list) or not all(isinstance(v, (str, int)) for v in values):
        raise Unsafe("a set of anything but names and integers")
    return set(values)


def _reconstruct(arguments: tuple) -> object:
    """Protocols 0 and 1 make every new-style object through `copy_reg._reconstructor`."""
    cls, base, state = arguments
    if isinstance(cls, Global) and base in _DICT and cls.name in _DOK and type(state) is dict:
        # SciPy made its matrix of class dok a kind of dict, whose content comes in this way.
        matrix: Any = _new(cls.name)
        matrix._dict = state
        return matrix
    if not isinstance(cls, Global) or base not in _OBJECT or state is not None:
        raise Unsafe(f"a reconstruction of {_name_of(cls)}")
    return _new(cls.name)


def _name_of(value: object) -> str:
    return f"`{value.name}`" if isinstance(value, Global) else describe(value)


def _new(name: str) -> object:
    if name in _CLASSES:
        return _CLASSES[name](name)
    if _CHUMPY.match(name):
        return ChumpyArray(name)
    raise Unsafe(f"a call of `{name}`")


def _sparse_class(cls: Any) -> Callable[[str], object]:
    return lambda name: cls.__new__(cls)


_OBJECT = (Global("__builtin__.object"), Global("builtins.object"))
_DICT = (Global("__builtin__.dict"), Global("builtins.dict"))

_CLASSES: dict[str, Callable[[str], object]] = {
    f"{module}.{kind}_{noun}": _sparse_class(getattr(scipy.sparse, f"{kind}_{noun}"))
    for kind in sparse_states.FORMATS
    for noun in ("matrix", "array")
    for module in ("scipy.sparse", f"scipy.sparse.{kind}", f"scipy.sparse._{kind}")
}
_DOK = {name for name in _CLASSES if name.rpartition(".")[2].startswith("dok_")}

_CALLS: dict[str, Callable[[tuple], object]] = {
    "numpy.dtype": lambda arguments: Dtype(arguments[0]),
    "_codecs.encode": _encode,
    "copy_reg._reconstructor": _reconstruct,
    "copyreg._reconstructor": _reconstruct,
    "collections.OrderedDict": _ordered_dict,
    "__builtin__.set": _set_of_names,
    "builtins.set": _set_of_names,
    "__builtin__.bytes": _no_bytes,
}
for _core in ("numpy.core", "numpy._core"):
    _CALLS[f"{_core}.multiarray._reconstruct"] = _array_shell
    _CALLS[f"{_core}.multiarray.scalar"] = _scalar
    _CALLS[f"{_core}.numeric._frombuffer"] = _from_buffer

# chumpy spread its classes over modules; a stand-in does nothing, so any class of them will do.
_CHUMPY = re.compile(r"chumpy(\.[a-z_]\w*)*\.[A-Za-z_]\w*\Z")


class _Names:
    """The dotted names that a pickle may refer to."""

    _bases = {base.name for base in (*_OBJECT, *_DICT)}
    _plain = {*_CALLS, *_CLASSES, *_ARRAY_CLASSES, *_bases}

    def __contains__(self, name: str) -> bool:
        return name in self._plain or bool(_CHUMPY.match(name))


NAMES = _Names()


def call(function: Global, arguments: tuple, budget: Budget) -> object:
    """What the pickle gets for `function(*arguments)`; a constructor or one of `_CALLS`."""
    name = function.name
    for argument in arguments:
        budget.spend(_cost_of_copy(argument))
    if name.endswith(".set") and arguments and isinstance(arguments[0], list):
        for value in arguments[0]:
            budget.check_key(value)
    if name in _CALLS:
        return _CALLS[name](arguments)
    if arguments:
        raise Unsafe(f"`{name}` with {len(arguments)} arguments")
    return _new(name)


def _cost_of_copy(value: object) -> int:
    """Bytes that something made of `value` may take: two bytes of a pickle copy any amount."""
    if isinstance(value, (str, bytes, bytearray)):
        return len(value)
    if isinstance(value, np.ndarray):
        return value.nbytes
    return _ELEMENT_BYTES * len(value) if isinstance(value, list) else 0


def needs_state(function: Global) -> bool:
    """Whether what `function` makes is empty until the pickle sets its state."""
    return (
        function.name in _CLASSES
        or bool(_CHUMPY.match(function.name))
        or function.name.endswith(("._reconstruct", "._reconstructor", "numpy.dtype"))
    )


def _without_dtypes(state: object) -> object:
    """A state with NumPy's own dtypes, which no one alters any more, in place of those read."""
    if not isinstance(state, dict):
        return state
    return {key: part.dtype if isinstance(part, Dtype) else part for key, part in state.items()}


def set_state(target: object, state: object, budget: Budget) -> None:
    """Fills `target`, one of the few kinds of object that have a state here."""
    if isinstance(state, (tuple, dict)):
        for part in state.values() if isinstance(state, dict) else state:
            budget.spend(_cost_of_copy(part))
    if isinstance(target, np.ndarray) and isinstance(state, tuple) and len(state) in (4, 5):
        _set_array_state(target, state)
    elif isinstance(target, Dtype) and isinstance(state, tuple) and len(state) >= 5:
        target.set_state(state)
    elif isinstance(target, ChumpyArray):
        target.set_state(state)
    elif scipy.sparse.issparse(target):
        sparse_states.set_state(target, _without_dtypes(state), budget)
    else:
        raise Unsafe(f"a state for {type(target).__name__}")
