"""One file of records, which appears under its name only once it is whole."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

import tensorflow as tf

from tfrecords_tools import framing, manifest


class ShardFile:
    """A shard under a temporary name until `commit`."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.examples = 0
        self._size = 0
        self._partial = path.with_name(f".{path.name}.partial")
        self._writer = tf.io.TFRecordWriter(str(self._partial))

    def write(self, example: bytes) -> None:
        with self._named_errors():
            self._writer.write(example)
        self.examples += 1
        self._size += framing.record_size(len(example))

    def commit(self) -> tuple[int, str]:
        """Gives the shard its name.

        Returns:
            Its size in bytes and the SHA-256 of its content.
        """
        with self._named_errors():
            self._writer.close()
            with open(self._partial, "rb") as file:
                os.fsync(file.fileno())
            digest = manifest.sha256_of(self._partial)
            written = self._partial.stat().st_size
            if written != self._size:
                raise OSError(f"only {written} of {self._size} bytes were written")
            os.replace(self._partial, self.path)
            _sync_folder(self.path.parent)
        return self._size, digest

    def discard(self) -> None:
        with contextlib.suppress(tf.errors.OpError):
            self._writer.close()
        self._partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            self.discard()
            reason = getattr(error, "message", None) or getattr(error, "strerror", None) or error
            raise OSError(
                f"{self.path} cannot be written: {reason}. Is the disk full? The shards so far "
                "are whole; make room and run the same command again: it continues."
            ) from error


def _sync_folder(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
