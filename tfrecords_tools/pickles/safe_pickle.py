"""Reads pickles of arrays, Python 2's included, without running anything the file asks for.

Python's unpickler calls what a pickle names. This one never holds a callable: a name becomes an
inert `Global`, and the opcodes that would call it look it up in the short tables of
`pickle_builders`. What is not in them is refused by its dotted name. This works for every protocol
and needs neither chumpy nor the SciPy that wrote the file.
"""

import collections
import io
import os
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

from tfrecords_tools.pickles import pickle_builders
from tfrecords_tools.pickles.budget import Budget, Unkeyable, describe
from tfrecords_tools.pickles.pickle_builders import Global, Unsafe

# What the object takes that an opcode makes, where that is much more than a place on the stack.
_STACK_BYTES = 16
_OPCODE_BYTES = {
    pickle.MARK: 144,
    pickle.EMPTY_TUPLE: 48,
    pickle.TUPLE: 56,
    pickle.TUPLE1: 56,
    pickle.TUPLE2: 64,
    pickle.TUPLE3: 72,
    pickle.EMPTY_LIST: 72,
    pickle.LIST: 72,
    pickle.EMPTY_DICT: 80,
    pickle.DICT: 80,
    pickle.EMPTY_SET: 240,
    pickle.FROZENSET: 240,
    pickle.PUT: 100,
    pickle.BINPUT: 100,
    pickle.LONG_BINPUT: 100,
    pickle.MEMOIZE: 100,
}
_ENTRY_BYTES = 64


class UnsafePickleError(pickle.UnpicklingError, ValueError):
    """The file asks for something that is not on the allow-list."""


class BrokenPickleError(pickle.UnpicklingError, ValueError):
    """The file is not a pickle, or is cut off or damaged."""


def load(path: str | os.PathLike) -> Any:
    """The object that the pickle at `path` holds.

    Plain containers, NumPy arrays and scalars come as they were, a `numpy.matrix` as an array;
    SciPy's sparse matrices and arrays of every format come as those of the installed SciPy;
    chumpy's objects come as `ChumpyArray`, whose value `numpy.asarray` reads. Text of Python 2 is
    decoded as latin1.

    Raises:
        OSError: the file cannot be read.
        UnsafePickleError: it names something that is not allowed (a `ValueError` too).
        BrokenPickleError: it is empty, cut off or not a pickle (a `ValueError` too).
    """
    with open(path, "rb") as file:
        data = file.read()
    if not data:
        raise BrokenPickleError(f"{os.fspath(path)} is empty: expected a pickle.")
    unpickler = _Unpickler(data)
    try:
        value = unpickler.load()
        unpickler.check_all_built()
        unpickler.budget.check_whole(value)
    except (Unsafe, Unkeyable) as error:
        raise UnsafePickleError(
            f"{os.fspath(path)} asks for {error}, which is not allowed in a pickle of arrays. "
            "Nothing in it was run. Use a file from the data set's own site."
        ) from None
    except Exception as error:
        raise BrokenPickleError(
            f"{os.fspath(path)} cannot be read as a pickle: {_reason(error)} "
            f"({len(data)} bytes; cut off, damaged, or another kind of file?)"
        ) from error
    return value


def _reason(error: Exception) -> str:
    """What is wrong with a file, in words; Python's own are about its reader."""
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    return "its content makes no sense"


class _Unpickler(pickle._Unpickler):
    """Python's own reader of opcodes; those that import or call are replaced below.

    It derives from the one in pure Python: the one in C does not let its opcodes be replaced.
    """

    dispatch: ClassVar[dict] = dict(pickle._Unpickler.dispatch)
    # The base class has these while it loads, though its type stubs do not say so.
    stack: list[Any]
    memo: dict[int, Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    read: Callable[[int], bytes]
    readline: Callable[[], bytes]

    def __init__(self, data: bytes):
        self.budget = Budget(len(data))
        # By id, because arrays cannot be hashed. The value keeps its object alive: an id that was
        # free again could be another object's.
        self._unbuilt: dict[int, object] = {}
        super().__init__(io.BytesIO(data), fix_imports=False, encoding="latin1")

    def check_all_built(self) -> None:
        """Refuses arrays whose content never came."""
        kinds = sorted({type(value).__name__ for value in self._unbuilt.values()} - {"Dtype"})
        if kinds:
            raise ValueError(f"it holds objects without content: {', '.join(kinds)}")

    def find_class(self, module: str, name: str) -> Global:
        dotted = f"{module}.{name}"
        if dotted not in pickle_builders.NAMES:
            raise Unsafe(f"`{dotted}`")
        return Global(dotted)

    def persistent_load(self, pid):
        raise Unsafe(f"the persistent object {describe(pid)}")

    def get_extension(self, code):
        raise Unsafe(f"the registered extension {code}")

    def _call(self, function: object, arguments: object) -> None:
        if not isinstance(function, Global):
            raise Unsafe(f"a call of {type(function).__name__}")
        if not isinstance(arguments, tuple):
            raise ValueError(
                f"the arguments of `{function.name}` are of type {type(arguments).__name__}, "
                "expected a tuple"
            )
        value = pickle_builders.call(function, arguments, self.budget)
        if pickle_builders.needs_state(function):
            self._unbuilt[id(value)] = value
        self.append(value)

    def load_reduce(self):
        arguments = self.stack.pop()
        self._call(self.stack.pop(), arguments)

    def load_newobj_ex(self):
        keywords = self.stack.pop()
        if keywords:
            raise Unsafe("a constructor with keywords")
        self.load_reduce()

    def load_obj(self):
        function, *arguments = self.pop_mark()
        self._call(function, tuple(arguments))

    def load_inst(self):
        module = self.readline()[:-1].decode("ascii")
        name = self.readline()[:-1].decode("ascii")
        self._call(self.find_class(module, name), tuple(self.pop_mark()))

    def load_build(self):
        state = self.stack.pop()
        target = self.stack[-1]
        # Only once: a second state could change arrays that were checked as part of a matrix.
        if self._unbuilt.pop(id(target), None) is None:
            raise Unsafe(f"a state for {type(target).__name__}")
        pickle_builders.set_state(target, state, self.budget)

    def load_setitem(self):
        value = self.stack.pop()
        self._set_items([self.stack.pop(), value])

    def load_setitems(self):
        self._set_items(self.pop_mark())

    def load_dict(self):
        items = self.pop_mark()
        self.append({})
        self._set_items(items)

    def _set_items(self, items: list) -> None:
        target = self.stack[-1]
        if type(target) not in (dict, collections.OrderedDict):
            raise Unsafe(f"items set on {type(target).__name__}")
        self.budget.spend(_ENTRY_BYTES * len(items))
        for key in items[::2]:
            self.budget.check_key(key)
        target.update(zip(items[::2], items[1::2], strict=True))

    def load_append(self):
        self._extend([self.stack.pop()])

    def load_appends(self):
        self._extend(self.pop_mark())

    def _extend(self, values: list) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise Unsafe(f"elements appended to {type(target).__name__}")
        target.extend(values)

    def load_additems(self):
        values = self.pop_mark()
        if type(self.stack[-1]) is not set:
            raise Unsafe(f"elements added to {type(self.stack[-1]).__name__}")
        self._check_elements(values)
        self.stack[-1].update(values)

    def load_frozenset(self):
        values = self.pop_mark()
        self._check_elements(values)
        self.append(frozenset(values))

    def _check_elements(self, values: list) -> None:
        self.budget.spend(_ENTRY_BYTES * len(values))
        for value in values:
            self.budget.check_key(value)

    def load_put(self):
        # Places far apart could be chosen so that they collide in the memo, which is a dict.
        place = self.readline()[:-1]
        if len(place) > len(str(self.budget.size)) or not place.isdigit():
            raise ValueError("it keeps an object in a place beyond its own size")
        self.memo[int(place)] = self.stack[-1]

    def load_bytearray8(self):
        size = int.from_bytes(self.read(8), "little")
        # The base class allocates what the file announces before it looks for it.
        if size > self.budget.size:
            raise ValueError(f"it announces a bytearray of {size} bytes, more than the whole file")
        self.append(bytearray(self.read(size)))


for _opcode, _name in (
    (pickle.REDUCE, "load_reduce"),
    (pickle.NEWOBJ, "load_reduce"),
    (pickle.NEWOBJ_EX, "load_newobj_ex"),
    (pickle.OBJ, "load_obj"),
    (pickle.INST, "load_inst"),
    (pickle.BUILD, "load_build"),
    (pickle.SETITEM, "load_setitem"),
    (pickle.SETITEMS, "load_setitems"),
    (pickle.DICT, "load_dict"),
    (pickle.APPEND, "load_append"),
    (pickle.APPENDS, "load_appends"),
    (pickle.ADDITEMS, "load_additems"),
    (pickle.FROZENSET, "load_frozenset"),
    (pickle.BYTEARRAY8, "load_bytearray8"),
    (pickle.PUT, "load_put"),
):
    _Unpickler.dispatch[_opcode[0]] = getattr(_Unpickler, _name)


def _paid(load_opcode: Callable, count: int) -> Callable:
    def load(unpickler: _Unpickler) -> None:
        unpickler.budget.spend(count)
        load_opcode(unpickler)

    return load


for _code, _load in _Unpickler.dispatch.items():
    _Unpickler.dispatch[_code] = _paid(_load, _OPCODE_BYTES.get(bytes([_code]), _STACK_BYTES))
