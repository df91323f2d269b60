"""Keeps the log of a run in its folder."""

import contextlib
import logging as python_logging
import os
import pathlib
import sys
import time
from collections.abc import Iterator

from absl import logging

from tfrecords_tools.files import partial_path
from tfrecords_tools.paths import is_address, path_of

FILE = "train.log"
_SECONDS = 60.0  # between two uploads


class _LogFile(python_logging.FileHandler):
    """Says once, elsewhere, that it cannot be written, as on a full disk; lines wait for room."""

    _has_said_so = False

    def handleError(self, record):  # noqa: N802 - logging's name
        error = sys.exc_info()[1]
        if not self._has_said_so:
            self._has_said_so = True
            logging.warning("%s cannot be written; the run goes on: %s", self.baseFilename, error)

    def close(self):
        with contextlib.suppress(OSError):
            super().close()


class _UploadedLogFile(_LogFile):
    """A log at an address, where nothing can be appended: all of it is written once a minute."""

    def __init__(self, path, **options):
        self._path = path
        self._since = time.monotonic()
        partial = partial_path(path)
        if path.exists():
            partial.write_bytes(path.read_bytes())
        super().__init__(partial, **options)

    def emit(self, record):
        super().emit(record)
        if time.monotonic() - self._since >= _SECONDS:
            self._upload()

    def close(self):
        super().close()
        self._upload()
        pathlib.Path(self.baseFilename).unlink(missing_ok=True)

    def _upload(self):
        self._since = time.monotonic()
        try:
            self._path.upload(self.baseFilename)
        except OSError as error:
            logging.warning("%s cannot be written; the run goes on: %s", self._path, error)


@contextlib.contextmanager
def log_to(model_dir: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Within it, appends what is logged to `train.log`, and the error that ends it, if any.

    absl's verbosity is at least INFO meanwhile.

    Args:
        model_dir: the run's folder, which must exist.
    """
    path = path_of(model_dir, FILE)
    kind = _UploadedLogFile if is_address(path) else _LogFile
    to_file = kind(path, encoding="utf-8")
    to_file.setFormatter(python_logging.Formatter("%(asctime)s %(message)s"))
    root = python_logging.getLogger()
    # Without any handler Python shows warnings on stderr, and it still should.
    added = [to_file] if root.handlers else [to_file, python_logging.lastResort]
    verbosity = logging.get_verbosity()
    logging.set_verbosity(max(verbosity, logging.INFO))
    for handler in added:
        root.addHandler(handler)
    try:
        yield path
    except BaseException as error:
        record = root.makeRecord(
            root.name,
            python_logging.ERROR,
            __file__,
            0,
            "Ended by %s: %s",
            (type(error).__name__, error),
            (type(error), error, error.__traceback__),
        )
        to_file.handle(record)
        raise
    finally:
        for handler in added:
            root.removeHandler(handler)
        logging.set_verbosity(verbosity)
        to_file.close()
