"""Says what a system error means: what happened to which file, which flag names it, a remedy."""

import errno
import os
from collections.abc import Mapping
from typing import Any

from tfrecords_tools.files import ends_all_writing


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
    while path:
        if os.path.isfile(path):
            return path
        shorter = os.path.dirname(path)
        if shorter == path:
            break
        path = shorter
    return None


def _flag_of(path: Any, settings: Mapping[str, Any]) -> str | None:
    """Which flag names the path, or the folder that it is in."""
    if not isinstance(path, (str, os.PathLike)):
        return None
    path = os.path.abspath(path)
    flags = {
        os.path.abspath(value): (name, value)
        for name, value in settings.items()
        if isinstance(value, str) and value
    }
    if path in flags:
        return f"--{flags[path][0]} names it."
    above = os.path.dirname(path)
    while above != os.path.dirname(above):
        if above in flags:
            return f"It is in --{flags[above][0]}={flags[above][1]}."
        above = os.path.dirname(above)
    return None


def _remedy(error: OSError) -> str | None:
    if error.errno == errno.EROFS:
        return "The disk is read-only; choose a folder on another."
    if ends_all_writing(error):
        return "Make room there, then run the same command again."
    return None
