"""Writes HDF5 files, whole or not at all."""

import contextlib
import io
from collections.abc import Iterator

import h5py

from tfrecords_tools.files import Path, write_bytes


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[h5py.File]:
    """Yields an HDF5 file to fill, which is at `path` when the block ends well.

    It is made in memory: a disk that fills up while HDF5 writes to it crashes the program.

    Raises:
        NotWrittenError: the file cannot be written; see `files.replacing`.
    """
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        yield file
    write_bytes(path, content.getvalue())
