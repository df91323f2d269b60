"""Says what a system error means: what happened to which file, which flag names it, a remedy."""

import errno
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from tfrecords_tools.files import ends_all_writing
from tfrecords_tools.paths import absolute, path_of

MAKE_ROOM = "Make room there, then run the same command again."


def sentence(error: BaseException, settings: Mapping[str, Any] | None = None) -> str:
    """The message for an error, without the system's numbers.

    Args:
        error: an OSError gets the flag that names its file, and a remedy if there is one. Other
            errors, and those that the program worded itself, keep their words.
        settings: flag -> value.
    """
    text = str(error)
    if isinstance(error, OSError):
        # Those of the program itself have a message in place of number and reason.
        if error.errno and error.strerror:
            text = _worded(error)
        path = getattr(error, "path", error.filename)
        text = " ".join(filter(None, (text, _flag_of(path, settings or {}), _remedy(error))))
    return text


def _worded(error: OSError) -> str:
    # Of the two names of a copy or a renaming, the second is the one that is written.
    name = error.filename if error.filename2 is None else error.filename2
    if name is None:
        return f"A file cannot be read or written: {error.strerror}."
    path = os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else str(name)
    if error.errno == errno.ENOENT:
        return f"{path} does not exist."
    if error.errno == errno.EISDIR:
        return f"{path} is a folder, but a file is needed."
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        file = _file_in_the_way(path)
        if file == path:
            return f"{path} is a file, but a folder is needed."
        if file:
            return f"{path} cannot be there, because {file} is a file and not a folder."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{path} cannot be read or written: you have no permission to."
    return f"{path} cannot be read or written: {error.strerror}."


def _file_in_the_way(path: str) -> str | None:
    """The first part of a path that is a file, although more follows or a folder is wanted."""
    parts = (path, *map(str, pathlib.Path(path).parents))
    return next(filter(os.path.isfile, parts), None)


def _flag_of(path: Any, settings: Mapping[str, Any]) -> str | None:
    """Which flag names the path, or the folder that it is in."""
    if not isinstance(path, (str, os.PathLike)):
        return None
    whole = path_of(absolute(path))
    flags = {
        absolute(value): (name, value)
        for name, value in settings.items()
        if isinstance(value, str) and value
    }
    if str(whole) in flags:
        return f"--{flags[str(whole)][0]} names it."
    # Not the root, in which everything is.
    above = next((part for part in map(str, whole.parents[:-1]) if part in flags), None)
    return f"It is in --{flags[above][0]}={flags[above][1]}." if above else None


def _remedy(error: OSError) -> str | None:
    if error.errno == errno.EROFS:
        return "The disk is read-only; choose a folder on another."
    if ends_all_writing(error):
        return MAKE_ROOM
    return None
