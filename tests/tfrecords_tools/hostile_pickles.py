"""Pickles that run no code and yet ask for endless memory or time: families of any size."""

import pickle
import struct
from collections.abc import Callable

DOUBLED = b"K\x01" + b"2\x86" * 40  # a tuple of two references to one tuple, and so on: 2**40


def _text(data: bytes) -> bytes:
    """Opcodes for a text of Python 2."""
    return b"T" + struct.pack("<i", len(data)) + data


def _collisions(count: int) -> list[int]:
    return [number * (2**61 - 1) for number in range(count)]


def _filled(start: bytes, piece: bytes, end: bytes, size: int) -> bytes:
    """`start`, then `piece` as often as it fits into `size` bytes, then `end`."""
    return start + piece * max(1, (size - len(start) - len(end)) // len(piece)) + end


def _array_of(data: bytes, count: int) -> bytes:
    """Arguments of `_frombuffer`, as a tuple: `data`, uint8, (count,), order C."""
    dtype = b"cnumpy\ndtype\nU\x02u1\x85R"
    return b"(" + data + dtype + b"(J" + struct.pack("<i", count) + b"tU\x01Ct"


def _frombuffer(size: int) -> bytes:
    half = size // 2
    arguments = _array_of(b"B" + struct.pack("<i", half) + b"x" * half, half)
    start = b"\x80\x03(cnumpy.core.numeric\n_frombuffer\nq\x00" + arguments + b"q\x010"
    return _filled(start, b"h\x00h\x01R", b"t.", size)


def _called(name: bytes, argument: bytes) -> Callable[[int], bytes]:
    def make(size: int) -> bytes:
        start = b"\x80\x02(c" + name + b"\nq\x00" + argument_of(size) + b"q\x010"
        return _filled(start, b"h\x00h\x01R", b"t.", size)

    def argument_of(size: int) -> bytes:
        if argument == b"text":
            return b"(" + _text(b"x" * (size // 2)) + b"U\x06latin1t"
        if argument == b"list":
            items = b"".join(b"U\x03%03d" % (n % 1000) for n in range(size // 10))
            return b"(](" + items + b"et"
        pairs = b"".join(b"(U\x03%03dK\x01t" % (n % 1000) for n in range(size // 20))
        return b"(](" + pairs + b"et"

    return make


def _shapes(size: int) -> bytes:
    """An array of no bytes whose shape has whole numbers of a megabyte each."""
    number = b"\x8b" + struct.pack("<i", size // 2) + b"\x7f" * (size // 2) + b"q\x05"
    dtype = b"cnumpy\ndtype\nU\x02u1\x85R"
    shell = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    return (
        b"\x80\x02" + shell + b"(K\x01(" + number + b"h\x05" * 30 + b"t" + dtype + b"\x89U\x00tb."
    )


def _object_array(elements: bytes, count: int) -> bytes:
    """Opcodes for an array of objects."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01J"
        + struct.pack("<i", count)
        + b"\x85cnumpy\ndtype\nU\x02O8\x85R\x89]("
        + elements
        + b"etb"
    )


def _lil(size: int) -> bytes:
    """A matrix each of whose rows is one and the same long list."""
    half = size // 2
    start = b"\x80\x02cscipy.sparse.lil\nlil_matrix\n)\x81}(U\x06_shapeJ"
    row = b"](" + b"K\x00" * (half // 4) + b"eq\x01"
    count = max(1, half // 4)
    lists = row + b"h\x01" * (count - 1)
    again = b"h\x01" * count
    return (
        start
        + struct.pack("<i", count)
        + b"K\x01\x86U\x04rows"
        + _object_array(lists, count)
        + b"U\x04data"
        + _object_array(again, count)
        + b"ub."
    )


def _dok(size: int) -> bytes:
    """A dict of places, which many matrices share."""
    items = b"".join(
        b"K\x00M" + struct.pack("<H", n % 65536) + b"\x86K\x01" for n in range(size // 14)
    )
    start = b"\x80\x02(}(" + items + b"uq\x010cscipy.sparse\ndok_matrix\nq\x020"
    shape = b"U\x06_shapeK\x01J\x00\x00\x01\x00\x86"
    return _filled(start, b"h\x02)\x81}(U\x05_dicth\x01" + shape + b"ub", b"t.", size)


def _sparse(kind: bytes, parts: bytes, rows: int) -> bytes:
    """A sparse matrix with many rows and columns."""
    number = b"\x8a\x08" + struct.pack("<q", rows)
    name = b"cscipy.sparse." + kind + b"\n" + kind + b"_matrix\n"
    return b"\x80\x02" + name + b")\x81}(U\x06_shape" + number * 2 + b"\x86" + parts + b"ub."


_NO_PLACES = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
_NO_PLACES += b"(K\x01K\x00\x85cnumpy\ndtype\nU\x02i4\x85R\x89U\x00tb"

# Family -> size in bytes -> a pickle of about that size; those in SMALL have a size of their own.
SMALL: dict[str, bytes] = {
    "doubled tuple": b"\x80\x02" + DOUBLED + b".",
    "doubled persistent id": b"\x80\x02" + DOUBLED + b"Q.",
    "doubled dtype": b"\x80\x02cnumpy\ndtype\n(" + DOUBLED + b"tR.",
    "doubled state of a dtype": b"\x80\x02cnumpy\ndtype\nU\x02f8\x85R(K\x03"
    + DOUBLED
    + b"NNNK\x00K\x00tb.",
    "doubled shape": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
    b"U\x01b\x87R(K\x01(" + DOUBLED + b"tcnumpy\ndtype\nU\x02f8\x85R\x89U\x00tb.",
    "doubled encoding": b"\x80\x02c_codecs\nencode\nU\x01x" + DOUBLED + b"\x86R.",
    "doubled class": b"\x80\x02ccopy_reg\n_reconstructor\n" + DOUBLED + b"NN\x87R.",
    "doubled array class": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n"
    + DOUBLED
    + b"K\x00U\x01b\x87R.",
    "doubled keywords": b"\x80\x04ccollections\nOrderedDict\n)}U\x01a" + DOUBLED + b"s\x92.",
    "keywords that are a tuple": b"\x80\x04ccollections\nOrderedDict\n)" + DOUBLED + b"\x92.",
    "doubled v_template": b"\x80\x02}U\x0av_template" + DOUBLED + b"s.",
    "doubled chumpy": b"\x80\x02cchumpy.ch\nCh\n)\x81}U\x01x" + DOUBLED + b"sb.",
    "doubled key": b"\x80\x02}" + DOUBLED + b"K\x01s.",
    "list inside itself": b"\x80\x02]q\x00h\x00a.",
    "vast coo matrix": _sparse(
        b"coo",
        b"U\x04data" + _NO_PLACES + b"U\x03row" + _NO_PLACES + b"U\x03col" + _NO_PLACES,
        1 << 40,
    ),
    "vast dok matrix": _sparse(b"dok", b"U\x05_dict}", 1 << 40),
    "vast lil matrix": _sparse(b"lil", b"U\x04rows" + _object_array(b"", 0), 1 << 40),
    "doubled shape of a sparse matrix": b"\x80\x02cscipy.sparse\ndok_matrix\n)\x81}(U\x06_shape"
    + DOUBLED
    + b"U\x05_dict}ub.",
    "doubled offsets": b"\x80\x02cscipy.sparse\ndia_matrix\n)\x81}(U\x06_shapeK\x01K\x01\x86"
    b"U\x07offsets" + DOUBLED + b"ub.",
    "doubled coords": b"\x80\x02cscipy.sparse\ncoo_matrix\n)\x81}(U\x06_shapeK\x01K\x01\x86"
    b"U\x06coords" + DOUBLED + b"ub.",
    "large announced bytes": b"\x80\x05\x96" + struct.pack("<q", 1 << 40) + b".",
}
FAMILIES: dict[str, Callable[[int], bytes]] = {
    "frombuffer": _frombuffer,
    "encode": _called(b"_codecs\nencode", b"text"),
    "set": _called(b"__builtin__\nset", b"list"),
    "OrderedDict": _called(b"collections\nOrderedDict", b"pairs"),
    "empty sets": lambda size: _filled(b"\x80\x04(", b"\x8f", b"t.", size),
    "empty dicts": lambda size: _filled(b"\x80\x02(", b"}", b"t.", size),
    "marks": lambda size: _filled(b"\x80\x02", b"(", b".", size),
    "nested lists": lambda size: b"\x80\x02]" + b"]" * (size // 2) + b"a" * (size // 2) + b".",
    "nested tuples": lambda size: _filled(b"\x80\x02K\x01", b"\x85", b".", size),
    "colliding keys": lambda size: pickle.dumps(dict.fromkeys(_collisions(size // 24)), 2),
    "colliding elements": lambda size: pickle.dumps(set(_collisions(size // 24)), 4),
    "number keys": lambda size: pickle.dumps(dict.fromkeys(range(size // 6)), 2),
    "colliding places": lambda size: (
        b"\x80\x02K\x01" + b"".join(b"p%d\n" % number for number in _collisions(size // 24)) + b"."
    ),
    "shapes of large numbers": _shapes,
    "rows that are one list": _lil,
    "entries that many matrices share": _dok,
}


def all_pickles(sizes: list[int]) -> dict[tuple[str, int], bytes]:
    """(family, size asked for) -> a pickle."""
    made = {(name, len(data)): data for name, data in SMALL.items()}
    for name, make in FAMILIES.items():
        made |= {(name, size): make(size) for size in sizes}
    return made
