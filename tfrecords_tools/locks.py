"""One writer a folder: a second program is told which other one is at work there."""

import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import socket
import sys
from collections.abc import Iterator
from typing import TextIO

from absl import logging

FILE = ".lock"


class InUseError(OSError):
    """Another program is writing to the folder."""


@contextlib.contextmanager
def locked(folder: str | os.PathLike, remedy: str) -> Iterator[None]:
    """Within it, no other program can lock the folder; the lock ends with the process at latest.

    The lock is the system's own, on a file in the folder. Local file systems have such locks, and
    NFS has them from Linux 2.6.12 on. Where there are none, a warning says so and the block runs.

    Args:
        folder: exists.
        remedy: what the user of a second program should do; ends the message.

    Raises:
        InUseError: another program has locked it; names the program, its process and its machine.
    """
    path = pathlib.Path(folder, FILE)
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
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise InUseError(f"{path.parent} is in use by {_owner(path)}. {remedy}") from None
        except OSError as error:
            logging.warning(
                "%s cannot be locked (%s), so nothing keeps a second program from writing there.",
                path.parent,
                error.strerror,
            )
            return file
        # Between the two calls the program before may have deleted this file, and a third one may
        # have locked a new one of the same name.
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file
        file.close()


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
