"""Random access to TFRecord files by an index of where each record starts.

Reading records by number makes the order of a run a function of seed and step alone: there is no
shuffle buffer to fill or to save, batches are the same for any number of threads, and a resumed
run starts in the middle of an epoch at once. The index is made once and kept beside the files.
"""

import dataclasses
import io
import os
import zipfile
from collections.abc import Sequence

import numpy as np

from hmr_tf2.compiled import compiled
from tfrecords_tools import framing
from tfrecords_tools.files import write_npz
from tfrecords_tools.paths import is_address, opened, path_of

# A record is a uint64 length, the uint32 masked CRC-32C of these 8 bytes, that many bytes of data,
# and their uint32 masked CRC-32C, all little-endian. A file holds records end to end, with neither
# a header nor an index: where record n starts is known only by following all lengths before it.
LENGTH_BYTES = 8
HEADER_BYTES = framing.HEADER_SIZE
FOOTER_BYTES = 4
FRAME_BYTES = HEADER_BYTES + FOOTER_BYTES

# Holds the lengths of the records in a folder's files, with the name, size and time of each file.
CACHE_FILE = "record_index.npz"


@dataclasses.dataclass(frozen=True)
class Damage:
    """Bytes `start` to `end` of a file, which are not whole records."""

    path: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.path}, bytes {self.start} to {self.end}, which are not whole records"


@dataclasses.dataclass(frozen=True)
class RecordIndex:
    """Where the records of some TFRecord files lie, in the order of the files.

    Attributes:
        paths: the files.
        file_of: int32 [R], index of each record's file in `paths`.
        offset: int64 [R], where the record's data starts in its file, after the header.
        length: int64 [R], number of bytes of data.
        damage: the parts that were skipped.
    """

    paths: tuple[str, ...]
    file_of: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    damage: tuple[Damage, ...] = ()

    def __len__(self) -> int:
        return len(self.offset)

    def counts(self) -> dict[str, int]:
        """File -> number of its records."""
        counts = np.bincount(self.file_of, minlength=len(self.paths))
        return dict(zip(self.paths, counts.tolist(), strict=True))

    def where(self, record: int) -> str:
        """Names a record by its file and the byte at which it starts."""
        start = self.offset[record] - HEADER_BYTES
        return f"{self.paths[self.file_of[record]]}, record at byte {start}"

    def read(self, record: int) -> bytes:
        """The data of one record, after comparing it with its checksum.

        Raises:
            OSError: the file cannot be read.
            ValueError: the record is not what was written; the message does not name the record.
        """
        length = int(self.length[record])
        # Opened for each record, since threads read at the same time and a shared file has only
        # one position. Unbuffered, since what follows the record is of no use in random order.
        with opened(self.paths[self.file_of[record]]) as file:
            file.seek(int(self.offset[record]))
            content = file.read(length + FOOTER_BYTES)
        if len(content) != length + FOOTER_BYTES:
            raise ValueError("the file is shorter than it was")
        data = content[:length]
        if framing.masked_crc32c(data) != int.from_bytes(content[length:], "little"):
            raise ValueError("its checksum differs")
        return data


def index_files(paths: Sequence[str], skip_damage: bool = False) -> RecordIndex:
    """Finds every record of the files by following their lengths.

    Only the lengths are checked against their checksums here; the data is when it is read.

    Args:
        paths: TFRecord files.
        skip_damage: whether to skip bytes that are not whole records and list them in `damage`,
            instead of raising.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not a TFRecord file, is cut off, or a length in it is damaged; names
            the file and the bytes.
    """
    folders = dict.fromkeys(map(os.path.dirname, paths))
    known = {folder: _remembered(folder) for folder in folders}
    found = []
    for path in paths:
        folder, name = os.path.split(path)
        stamp = _stamp(path)
        before, length = known[folder].get(name, (None, None))
        # The sum guards against an index that was itself damaged: lengths must fill the file.
        if before == stamp and np.sum(length + FRAME_BYTES) == stamp[0]:
            found.append((_starts(length), length, []))
            continue
        start, length, damage = _scan(path)
        if damage and not skip_damage:
            raise ValueError(
                f"{path}: the file is cut off, damaged or not a TFRecord file: from byte "
                f"{damage[0].start} to {damage[0].end} there is no whole record. Convert the data "
                "set again, or pass --skip_corrupt to use the records around the damage."
            )
        # Damage is never remembered, so that it is reported each time.
        if not damage:
            known[folder][name] = (stamp, length)
            folders[folder] = True
        found.append((start, length, damage))
    for folder, changed in folders.items():
        if changed:
            _remember(folder, known[folder])
    counts = [len(length) for _, length, _ in found]
    return RecordIndex(
        paths=tuple(paths),
        file_of=np.repeat(np.arange(len(paths), dtype=np.int32), counts),
        offset=np.concatenate([start for start, _, _ in found]) + HEADER_BYTES,
        length=np.concatenate([length for _, length, _ in found]),
        damage=tuple(part for _, _, damage in found for part in damage),
    )


def _scan(path):
    """Starts and lengths of the whole records of a file, and the damage between them."""
    content = _content(path)
    size = len(content)
    starts, lengths, damage, at = [], [], [], 0
    while True:
        # First all lengths are followed, which is fast and needs no checksum; then all headers are
        # checked. Everything after a wrong length is guesswork and is dropped.
        start, length, at = _follow(content, at)
        wrong = _wrong_header(content, start)
        if wrong < len(start):
            at = int(start[wrong])
        starts.append(start[:wrong])
        lengths.append(length[:wrong])
        if at == size:
            return np.concatenate(starts), np.concatenate(lengths), damage
        # Here the chain is broken: find the next place where a record starts, and go on there.
        end = _next_record(content, at + 1)
        damage.append(Damage(path, at, end))
        at = end


def _content(path) -> np.ndarray:
    if is_address(path):
        return np.frombuffer(path_of(path).read_bytes(), np.uint8)
    # Mapped, not read: only a few bytes of each record are touched. An empty file has no map.
    return np.memmap(path, np.uint8, "r") if os.path.getsize(path) else np.zeros(0, np.uint8)


@compiled
def _follow(content, at):
    """Starts and lengths of the records from byte `at` on, and where the next one does not fit."""
    starts, lengths = [], []
    size = np.int64(len(content))
    at = np.int64(at)
    while at + FRAME_BYTES <= size:
        length = np.int64(0)
        for byte in range(LENGTH_BYTES):
            length |= np.int64(content[at + byte]) << (8 * byte)
        # Compared in this form, as `at + length` may overflow. A length of 2**63 and more, which
        # only damage can give, is negative here.
        if length < 0 or length > size - at - FRAME_BYTES:
            break
        starts.append(at)
        lengths.append(length)
        at += length + FRAME_BYTES
    return np.array(starts, dtype=np.int64), np.array(lengths, dtype=np.int64), at


def _wrong_header(content, starts) -> int:
    """The first record whose length differs from its checksum; their number if there is none."""
    headers = content[starts[:, np.newaxis] + np.arange(HEADER_BYTES)].tobytes()
    for record, at in enumerate(range(0, len(headers), HEADER_BYTES)):
        if not _is_header(headers[at : at + HEADER_BYTES]):
            return record
    return len(starts)


def _is_header(header: bytes) -> bool:
    length, checksum = header[:LENGTH_BYTES], header[LENGTH_BYTES:]
    return framing.masked_crc32c(length) == int.from_bytes(checksum, "little")


def _next_record(content, at) -> int:
    """Where the next whole record after byte `at` starts; the end of the file if there is none."""
    # A record may start at any byte, and a checksum for each byte would take minutes. So the eight
    # bytes at every place are first read as a length, as whole arrays, one for each of the eight
    # alignments. Few places hold a length that fits into the rest of the file; only those are
    # checked, first the header, then the data: a header may match by chance, once in 2**32.
    size = len(content)
    candidates = []
    for phase in range(LENGTH_BYTES):
        words = content[at + phase :]
        words = words[: len(words) // LENGTH_BYTES * LENGTH_BYTES].view("<u8")
        starts = at + phase + LENGTH_BYTES * np.arange(len(words))
        room = size - FRAME_BYTES - starts
        # Unsigned comparisons: the words are, and NumPy would take both to float64 otherwise.
        candidates.append(starts[(room >= 0) & (words <= np.maximum(room, 0).astype(np.uint64))])
    for start in np.sort(np.concatenate(candidates)).tolist():
        header = content[start : start + HEADER_BYTES].tobytes()
        if not _is_header(header):
            continue
        end = start + HEADER_BYTES + int.from_bytes(header[:LENGTH_BYTES], "little")
        checksum = content[end : end + FOOTER_BYTES].tobytes()
        data = content[start + HEADER_BYTES : end].tobytes()
        if framing.masked_crc32c(data) == int.from_bytes(checksum, "little"):
            return start
    return size


def _starts(length):
    """Where records of these lengths start if they lie end to end."""
    ends = np.cumsum(length + FRAME_BYTES)
    return ends - length - FRAME_BYTES


def _stamp(path) -> tuple[int, int]:
    """What shows that a file has changed: its size, and its time of change in nanoseconds."""
    status = path_of(path).stat()
    return status.st_size, status.st_mtime_ns


def _remembered(folder) -> dict[str, tuple[tuple[int, int], np.ndarray]]:
    """File name -> stamp and lengths of the records, as `_remember` wrote them."""
    try:
        with np.load(io.BytesIO(path_of(folder, CACHE_FILE).read_bytes())) as arrays:
            names, stamps = arrays["names"].tolist(), map(tuple, arrays["stamps"].tolist())
            lengths = np.split(arrays["lengths"], np.cumsum(arrays["counts"])[:-1])
        return dict(zip(names, zip(stamps, lengths, strict=True), strict=True))
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile):
        return {}  # There is no index yet, or it is damaged: the files are scanned.


def _remember(folder, known) -> None:
    """Writes the lengths, whole or not at all; in a read-only folder files are always scanned."""
    path = os.path.join(folder, CACHE_FILE)
    # Lengths alone are kept: starts are their sums, and the file is half as large.
    stamps, lengths = zip(*known.values(), strict=True)
    try:
        write_npz(
            path,
            names=list(known),
            stamps=stamps,
            counts=[len(part) for part in lengths],
            lengths=np.concatenate(lengths),
        )
    except OSError:
        pass  # The files are scanned again next time.
