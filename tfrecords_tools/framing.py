"""How records lie in a TFRecord file: length, its checksum, data, its checksum.

TensorFlow reads and writes the records; this module finds their borders, which TensorFlow does
not tell, and so can count records quickly and name a damaged one.
"""

import dataclasses
import pathlib
import struct
from collections.abc import Iterator

_HEADER = struct.Struct("<QI")
_FOOTER_SIZE = 4


class DamagedError(ValueError):
    """A file whose records cannot be told apart from some point on."""


@dataclasses.dataclass(frozen=True)
class Span:
    """Where the data of one record lies in its file."""

    start: int
    size: int


def record_size(num_bytes: int) -> int:
    """The bytes that a record of `num_bytes` takes in the file."""
    return _HEADER.size + num_bytes + _FOOTER_SIZE


def spans(path: pathlib.Path) -> Iterator[Span]:
    """Where each record lies; only the headers are read."""
    size = path.stat().st_size
    position = number = 0
    with open(path, "rb") as file:
        while position < size:
            file.seek(position)
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                raise DamagedError(f"{path}: record {number} is cut off at byte {size}.")
            length, checksum = _HEADER.unpack(header)
            if masked_crc32c(header[:8]) != checksum:
                raise DamagedError(
                    f"{path}: the header of record {number}, at byte {position}, is damaged."
                )
            if position + record_size(length) > size:
                raise DamagedError(f"{path}: record {number} is cut off at byte {size}.")
            yield Span(position + _HEADER.size, length)
            position += record_size(length)
            number += 1


def count_records(path: pathlib.Path) -> int:
    """The number of records in the file."""
    return sum(1 for _ in spans(path))


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecord files: CRC-32C, rotated and offset. Slow: for headers only."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = tuple(_crc_of_byte(byte) for byte in range(256))
