"""A file of records, which appears under its name only once it is whole."""

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tfrecords_tools import files, framing


class ShardFile:
    """A shard under a temporary name until `commit`.

    Raises:
        OSError: from every method, if the shard cannot be written; what there was is deleted.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.examples = 0
        self._size = 0
        # The conversion has the folder to itself, so leftovers are from one that was killed.
        files.remove_leftovers(path)
        self._partial = files.partial_path(path)
        self._writer: Any = None  # a TFRecordWriter once it is open
        with self._named_errors():
            self._writer = tf.io.TFRecordWriter(str(self._partial))

    def write(self, example: bytes) -> None:
        """Adds an Example."""
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
            digest = files.sha256_of(self._partial)
            written = self._partial.stat().st_size
            if written != self._size:
                raise OSError(f"only {written} of {self._size} bytes were written")
            files.put_in_place(self._partial, self.path)
        return self._size, digest

    def discard(self) -> None:
        """Gives the shard up and deletes what was written of it."""
        if self._writer is not None:
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
