"""What a pickle may cost to read: bytes in proportion to its size, and keys that hash apart.

A few hundred bytes can ask for gigabytes, or for hours, without running any code: a tuple that is
doubled forty times, a large string that is copied by two bytes, keys that all hash alike. Reading
is paid for from a budget, which real files do not come near.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tfrecords_tools.pickles.chumpy_array import ChumpyArray

# An SMPL body in float64 takes 45 MiB.
LEAST_BYTES = 64 << 20
BYTES_PER_BYTE = 8
# Text hashes differently in each process. Numbers do not, so a file can be made of ones that
# collide, and each then costs as much time as there are others.
MAX_NUMBER_KEYS = 10_000
# Pairs of places in a matrix below this bound are too few for many of them to collide.
MAX_PLACE = 1 << 24
# Python hashes whole numbers below 2**61 - 1 to themselves.
MAX_KEY_BITS = 60

# Whoever walks through the content may call itself at each level.
MAX_DEPTH = 100

_TEXT = (str, bytes)
_PLAIN = (int, float, bool, type(None))
_SHOWN = 40
_OBJECT_BYTES = 16


class TooExpensive(ValueError):  # noqa: N818 - becomes `safe_pickle.BrokenPickleError`
    """Reading the file would cost more than a file of its size is worth."""


class Unkeyable(ValueError):  # noqa: N818 - becomes `safe_pickle.UnsafePickleError`
    """The file has a dictionary key, or an element of a set, that is not allowed."""


class Budget:
    """Pays for the reading of one file.

    Args:
        size: bytes of the file.
    """

    def __init__(self, size: int):
        self.size = size
        self._bytes = LEAST_BYTES + BYTES_PER_BYTE * size
        self._number_keys = MAX_NUMBER_KEYS

    def spend(self, count: int) -> None:
        """Pays for `count` bytes of memory; raises TooExpensive where they are too many."""
        self._bytes -= count
        if self._bytes < 0:
            raise TooExpensive(
                f"it would take more memory than a pickle of {self.size} bytes should"
            )

    def check_key(self, key: object) -> None:
        """Raises Unkeyable or TooExpensive for what should not be hashed."""
        # Hashing a tuple that nests a million tuples would overflow the C stack.
        if _is_place(key):
            return
        parts = key if isinstance(key, tuple) else (key,)
        if not all(isinstance(part, (*_TEXT, *_PLAIN)) for part in parts):
            raise Unkeyable(f"a dictionary key of type {type(key).__name__}")
        if isinstance(key, _TEXT):
            return
        if any(isinstance(part, int) and part.bit_length() > MAX_KEY_BITS for part in parts):
            raise Unkeyable(f"a number above 2**{MAX_KEY_BITS} as a dictionary key")
        self._number_keys -= 1
        if self._number_keys < 0:
            raise TooExpensive(
                f"it has more than {MAX_NUMBER_KEYS} dictionary keys that are not text"
            )

    def check_whole(self, value: object) -> None:
        """Raises TooExpensive for containers that nest too deep, or share their contents so often
        that they stand for far too many.
        """
        self.spend(_OBJECT_BYTES * _written_out(value))


def _is_place(key: object) -> bool:
    """Whether a key is the place (row, column) of an entry, as sparse matrices have them."""
    return (
        isinstance(key, tuple)
        and len(key) == 2
        and all(isinstance(part, int | np.integer) and 0 <= part < MAX_PLACE for part in key)
    )


def describe(value: object) -> str:
    """A few words on any object. Its `repr` could be larger than all memory."""
    if isinstance(value, _TEXT):
        return repr(value[:_SHOWN])
    if value is None or isinstance(value, (bool, float)):
        return repr(value)
    if isinstance(value, int) and value.bit_length() <= MAX_KEY_BITS:
        return repr(value)
    return f"an object of type {type(value).__name__}"


def _written_out(value: object) -> int:
    """How many objects there are in `value` if each is counted as often as it is referred to.

    A container inside itself makes the number infinite; what comes back is large enough to be
    refused. Chumpy's objects count once: nothing looks into them unless it is asked to.
    """
    counts: dict[int, int] = {}
    endless = 1 << 62
    roots: list[object] = [value]
    while roots:
        stack: list[tuple[object, list[object], Iterator[object]]] = []
        _enter(roots.pop(), counts, stack, endless)
        while stack:
            if len(stack) > MAX_DEPTH:
                raise TooExpensive(f"it nests containers more than {MAX_DEPTH} deep")
            container, children, left = stack[-1]
            for child in left:
                if isinstance(child, ChumpyArray) and id(child) not in counts:
                    counts[id(child)] = 1
                    roots.append(child.state)
                elif id(child) not in counts and _enter(child, counts, stack, endless):
                    break
            else:
                stack.pop()
                total = 1 + sum(counts.get(id(child), 1) for child in children)
                counts[id(container)] = min(total, endless)
    return max(counts.values(), default=1)


def _enter(value: Any, counts: dict[int, int], stack: list, endless: int) -> bool:
    """Starts on a container that has not been counted; whether `value` was one."""
    if id(value) in counts:
        return False
    if isinstance(value, ChumpyArray):
        value = value.state
    if isinstance(value, dict):
        children = list(value.values())
    elif isinstance(value, (list, tuple)):
        children = list(value)
    elif isinstance(value, np.ndarray) and value.dtype.hasobject:
        children = value.ravel().tolist()
    else:
        return False
    # Whoever meets it again before it is done is inside it.
    counts[id(value)] = endless
    stack.append((value, children, iter(children)))
    return True
