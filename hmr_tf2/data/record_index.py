"""Random access to TFRecord files: where each record lies, so that a shuffle is a permutation.

Reading records by number makes the order of a run a function of seed and step alone: no shuffle
buffer to fill or to save, the same batches for any number of threads, and a resumed run starts in
the middle of an epoch at once. Where the records lie is found once and remembered beside them.
"""

import dataclasses
import os
import zipfile
from collections.abc import Sequence

import numpy as np

from hmr_tf2.compiled import compiled
from tfrecords_tools import framing
from tfrecords_tools.files import replacing

# A record is: uint64 length, uint32 checksum of it, the bytes, uint32 checksum of them.
LENGTH_BYTES = 8
HEADER_BYTES = framing.HEADER_SIZE
FOOTER_BYTES = 4
FRAME_BYTES = HEADER_BYTES + FOOTER_BYTES

# Lengths of the records of a folder's files, remembered by name, size and time.
CACHE_FILE = "record_index.npz"


@dataclasses.dataclass(frozen=True)
class Damage:
    """Bytes `start` to `end` of a file, which are no whole records."""

    path: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.path}, bytes {self.start} to {self.end}: no whole record"


@dataclasses.dataclass(frozen=True)
class RecordIndex:
    """Where the records of some TFRecord files lie, in the order of the files.

    Attributes:
        paths: the files.
        file_of: int32 [R], index into `paths`.
        offset: int64 [R], of the record's bytes in its file, behind its header.
        length: int64 [R], of its bytes.
        damage: what was passed over.
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
        """The bytes of one record, compared with their checksum.

        Raises:
            OSError: the file cannot be read.
            ValueError: the record is not what was written; says so without naming it.
        """
        length = int(self.length[record])
        with open(self.paths[self.file_of[record]], "rb", buffering=0) as file:
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

    Args:
        paths: TFRecord files.
        skip_damage: pass over bytes that are no whole records and list them in `damage`.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is no TFRecord file, is cut off, or a length in it is damaged; names
            file and byte.
    """
    folders = dict.fromkeys(map(os.path.dirname, paths))
    known = {folder: _remembered(folder) for folder in folders}
    found = []
    for path in paths:
        folder, name = os.path.split(path)
        stamp = _stamp(path)
        before, length = known[folder].get(name, (None, None))
        if before == stamp and np.sum(length + FRAME_BYTES) == stamp[0]:
            found.append((_starts(length), length, []))
            continue
        start, length, damage = _scan(path)
        if damage and not skip_damage:
            raise ValueError(
                f"{path}: cut off, damaged or no TFRecord file: from byte {damage[0].start} to "
                f"{damage[0].end} there is no whole record. Convert the data set again, or pass "
                "--skip_corrupt to use the records around the damage."
            )
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
    size = os.path.getsize(path)
    content = np.memmap(path, np.uint8, "r") if size else np.zeros(0, np.uint8)
    starts, lengths, damage, at = [], [], [], 0
    while True:
        start, length, at = _follow(content, at)
        wrong = _wrong_header(content, start)
        if wrong < len(start):
            at = int(start[wrong])
        starts.append(start[:wrong])
        lengths.append(length[:wrong])
        if at == size:
            return np.concatenate(starts), np.concatenate(lengths), damage
        end = _next_record(content, at + 1)
        damage.append(Damage(path, at, end))
        at = end


@compiled
def _follow(content, at):
    """Starts and lengths of records from byte `at` on, and where the next does not fit."""
    starts, lengths = [], []
    size = np.int64(len(content))
    at = np.int64(at)
    while at + FRAME_BYTES <= size:
        length = np.int64(0)
        for byte in range(LENGTH_BYTES):
            length |= np.int64(content[at + byte]) << (8 * byte)
        if length < 0 or length > size - at - FRAME_BYTES:
            break
        starts.append(at)
        lengths.append(length)
        at += length + FRAME_BYTES
    return np.array(starts, dtype=np.int64), np.array(lengths, dtype=np.int64), at


def _wrong_header(content, starts) -> int:
    """Which of the records has the first length that differs from its checksum; else how many."""
    headers = content[starts[:, np.newaxis] + np.arange(HEADER_BYTES)].tobytes()
    for record, at in enumerate(range(0, len(headers), HEADER_BYTES)):
        if not _is_header(headers[at : at + HEADER_BYTES]):
            return record
    return len(starts)


def _is_header(header: bytes) -> bool:
    length, checksum = header[:LENGTH_BYTES], header[LENGTH_BYTES:]
    return framing.masked_crc32c(length) == int.from_bytes(checksum, "little")


def _next_record(content, at) -> int:
    """Where the next whole record behind byte `at` starts; the end of the file without one."""
    size = len(content)
    candidates = []
    for phase in range(LENGTH_BYTES):
        words = content[at + phase :]
        words = words[: len(words) // LENGTH_BYTES * LENGTH_BYTES].view("<u8")
        starts = at + phase + LENGTH_BYTES * np.arange(len(words))
        room = size - FRAME_BYTES - starts
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
    """Where records of these lengths start that lie end to end."""
    ends = np.cumsum(length + FRAME_BYTES)
    return ends - length - FRAME_BYTES


def _stamp(path) -> tuple[int, int]:
    """What tells that a file changed: size, and time of the last change in nanoseconds."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _remembered(folder) -> dict[str, tuple[tuple[int, int], np.ndarray]]:
    """File name -> its stamp and the lengths of its records, as `_remember` wrote them."""
    try:
        with np.load(os.path.join(folder, CACHE_FILE)) as arrays:
            names, stamps = arrays["names"].tolist(), map(tuple, arrays["stamps"].tolist())
            lengths = np.split(arrays["lengths"], np.cumsum(arrays["counts"])[:-1])
        return dict(zip(names, zip(stamps, lengths, strict=True), strict=True))
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile):
        return {}  # none yet, or damaged: the files are scanned


def _remember(folder, known) -> None:
    """Writes the lengths whole or not at all; in a read-only folder files are always scanned."""
    path = os.path.join(folder, CACHE_FILE)
    stamps, lengths = zip(*known.values(), strict=True)
    try:
        with replacing(path) as partial, open(partial, "wb") as file:
            np.savez(
                file,
                names=list(known),
                stamps=stamps,
                counts=[len(part) for part in lengths],
                lengths=np.concatenate(lengths),
            )
    except OSError:
        pass  # The files are scanned again next time.
