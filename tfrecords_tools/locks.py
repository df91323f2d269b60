"""One writer a folder: a second program is told which other one is at work there."""

import contextlib
import datetime
import json
import os
import pathlib
import socket
import sys
from collections.abc import Iterator
from typing import TextIO

from absl import logging

from tfrecords_tools import paths

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FILE = ".lock"
# Windows keeps others from reading what is locked: a byte far behind the text.
_LOCKED_BYTE = 1 << 30


class InUseError(OSError):
    """Another program is writing to the folder."""


@contextlib.contextmanager
def locked(folder: str | os.PathLike, remedy: str) -> Iterator[None]:
    """Within it, no other program can lock the folder; the lock ends with the process at latest.

    The lock is the system's own, on a file in the folder. Local file systems have such locks, and
    NFS has them from Linux 2.6.12 on. Where there are none, as at an address (gs://bucket/folder),
    a warning says so and the block runs.

    Args:
        folder: exists.
        remedy: what the user of a second program should do; ends the message.

    Raises:
        InUseError: another program has locked it; names the program, its process and its machine.
    """
    if paths.is_address(folder):
        _warn_of_no_lock(os.fspath(folder), "it is not a folder of this machine")
        yield
        return
    path = paths.path_of(folder, FILE)
    file = _opened(path, remedy)
    if file is None:
        yield
        return
    with file:
        # On a full disk the other program's message is shorter, and nothing else is lost.
        with contextlib.suppress(OSError):
            file.truncate(0)
            file.write(_about_this_program())
            file.flush()
        try:
            yield
        finally:
            # Before the lock is given back, so that the file is certainly this program's.
            with contextlib.suppress(OSError):
                path.unlink()


def _opened(path: pathlib.Path, remedy: str) -> TextIO | None:
    """The lock file, open and locked if the system can; None in a folder that is read-only."""
    while True:
        try:
            # For writing, without which NFS gives no lock.
            file = open(path, "a+", encoding="utf-8")
        except OSError:
            return None  # What the block writes there will fail, too, and say why.
        try:
            _lock(file)
        except BlockingIOError:
            file.close()
            raise InUseError(f"{path.parent} is in use by {_owner(path)}. {remedy}") from None
        except OSError as error:
            _warn_of_no_lock(str(path.parent), error.strerror)
            return file
        # Between the two calls the program before may have deleted this file, and a third one may
        # have locked a new one of the same name.
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file
        file.close()


def _lock(file: TextIO) -> None:
    """Locks an open file until it is closed; BlockingIOError if another program has locked it."""
    if sys.platform == "win32":
        os.lseek(file.fileno(), _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _warn_of_no_lock(folder: str, reason: str | None) -> None:
    logging.warning(
        "%s cannot be locked (%s), so nothing keeps a second program from writing there.",
        folder,
        reason,
    )


def _about_this_program() -> str:
    return json.dumps(
        {
            "program": os.path.basename(sys.argv[0]) or "python",
            "process": os.getpid(),
            "machine": socket.gethostname(),
            "since": f"{datetime.datetime.now():%Y-%m-%d %H:%M:%S}",
        }
    )


def _owner(path: pathlib.Path) -> str:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        return (
            f"{about['program']}, process {about['process']} on {about['machine']}, "
            f"since {about['since']}"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "another program"
