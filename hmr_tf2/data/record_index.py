"""Random access to TFRecord files: where each record lies, so that a shuffle is a permutation.

Reading records by number makes the order of a run a function of seed and step alone: no shuffle
buffer to fill or to save, the same batches for any number of threads, and a resumed run starts in
the middle of an epoch at once.
"""

import dataclasses
import os
from collections.abc import Sequence

import numba
import numpy as np

# A record is: uint64 length, uint32 CRC of it, the bytes, uint32 CRC of them.
HEADER_BYTES = 12
FOOTER_BYTES = 4


@dataclasses.dataclass(frozen=True)
class RecordIndex:
    """Where the records of some TFRecord files lie, in the order of the files."""

    paths: tuple[str, ...]
    file_of: np.ndarray  # int32 [R], index into `paths`
    offset: np.ndarray  # int64 [R], of the record's bytes in its file
    length: np.ndarray  # int64 [R]

    def __len__(self) -> int:
        return len(self.offset)

    def read(self, record: int) -> bytes:
        """The bytes of one record.

        Raises:
            ValueError: the file is shorter than when it was indexed.
        """
        path, length = self.paths[self.file_of[record]], int(self.length[record])
        with open(path, "rb") as file:
            file.seek(int(self.offset[record]))
            content = file.read(length)
        if len(content) != length:
            raise ValueError(
                f"{path}: record at byte {self.offset[record]} is cut off: the file changed "
                "while it was read."
            )
        return content


def index_files(paths: Sequence[str]) -> RecordIndex:
    """Finds every record of the files by following their lengths.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is no TFRecord file or is cut off; names file and byte.
    """
    offsets = [_offsets(path) for path in paths]
    lengths = [length for _, length in offsets]
    counts = [len(length) for length in lengths]
    return RecordIndex(
        paths=tuple(paths),
        file_of=np.repeat(np.arange(len(paths), dtype=np.int32), counts),
        offset=np.concatenate([offset for offset, _ in offsets]),
        length=np.concatenate(lengths),
    )


def _offsets(path):
    size = os.path.getsize(path)
    if size == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    offset, length, end = _follow(np.memmap(path, np.uint8, "r"))
    if end != size:
        raise ValueError(
            f"{path}: cut off or no TFRecord file: the record that starts at byte {end} runs "
            f"past its {size} bytes. Convert the data set again, or delete this file."
        )
    return offset, length


@numba.njit
def _follow(content):
    offsets, lengths = [], []
    at = np.int64(0)
    size = np.int64(len(content))
    while at + HEADER_BYTES + FOOTER_BYTES <= size:
        length = np.int64(0)
        for byte in range(8):
            length |= np.int64(content[at + byte]) << (8 * byte)
        end = at + HEADER_BYTES + length + FOOTER_BYTES
        if length < 0 or length > size or end > size:
            break
        offsets.append(at + HEADER_BYTES)
        lengths.append(length)
        at = end
    return np.array(offsets, dtype=np.int64), np.array(lengths, dtype=np.int64), at
