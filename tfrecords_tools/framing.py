"""How records lie in a TFRecord file: length, its checksum, data, its checksum.

TensorFlow reads and writes the records; this module finds their boundaries, which TensorFlow does
not reveal, and so can count records quickly and name a damaged one.
"""

import dataclasses
import pathlib
import struct

import google_crc32c

from tfrecords_tools.paths import opened

_HEADER = struct.Struct("<QI")
HEADER_SIZE = _HEADER.size
_FOOTER_SIZE = 4


@dataclasses.dataclass(frozen=True)
class Span:
    """Where the data of one record lies in its file."""

    start: int
    size: int


class DamagedError(ValueError):
    """The records of a file cannot be separated from some point on.

    Attributes:
        where: the record and the byte, without the name of the file.
        before: the records up to that point.
    """

    def __init__(self, path: pathlib.Path, where: str, before: list[Span]):
        super().__init__(f"{path}: {where}")
        self.where = where
        self.before = before


def record_size(num_bytes: int) -> int:
    """The bytes that a record of `num_bytes` takes in the file."""
    return _HEADER.size + num_bytes + _FOOTER_SIZE


def spans(path: pathlib.Path) -> list[Span]:
    """Finds where each record lies; only the headers are read.

    Raises:
        DamagedError: a header is damaged or the file is cut off.
    """
    size = path.stat().st_size
    found: list[Span] = []
    position = 0
    with opened(path) as file:
        while position < size:
            file.seek(position)
            header = file.read(HEADER_SIZE)
            record = f"record {len(found)}"
            if len(header) < HEADER_SIZE:
                raise DamagedError(path, f"{record} is cut off at byte {size}", found)
            length, checksum = _HEADER.unpack(header)
            if masked_crc32c(header[:8]) != checksum:
                where = f"{record}: damaged (the checksum of its length, at byte {position})"
                raise DamagedError(path, where, found)
            if position + record_size(length) > size:
                raise DamagedError(path, f"{record} is cut off at byte {size}", found)
            found.append(Span(position + HEADER_SIZE, length))
            position += record_size(length)
    return found


def count_records(path: pathlib.Path) -> int:
    """The number of records in the file."""
    return len(spans(path))


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecord files: CRC-32C, rotated and offset."""
    # As `Mask` of TensorFlow's tsl/lib/hash/crc32c.h: a plain CRC of data that itself holds CRCs
    # is weak.
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
