"""Paths of this machine, and addresses such as gs://bucket/folder, with the same methods.

`path_of` gives a `pathlib.Path` for the first and an `Address` for the second, which is reached
through `tf.io.gfile`: gs:// (Google Cloud Storage), ram:// (the memory of this process), and
whatever a plug-in for TensorFlow adds. Annotations say `pathlib.Path` for both, since an `Address`
stands in for one. Code that may meet either goes by the methods, not by `open(path)` and `os`.
"""

import contextlib
import dataclasses
import errno
import fnmatch
import functools
import os
import pathlib
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, Any, cast

# A scheme has two letters at least: `C:` is a drive of Windows.
_SCHEME = r"([A-Za-z][A-Za-z0-9+.-]+)"
_ADDRESS = re.compile(f"{_SCHEME}://")
_ONE_SLASH = re.compile(f"{_SCHEME}:/(?!/)")
_LOCAL = "file"
_LOCALHOST = re.compile("file://(localhost)?(?=/)", re.IGNORECASE)


class UnreachableError(OSError):
    """What is at an address cannot be reached, read or written.

    Attributes:
        path: the address.
    """

    def __init__(self, message: str, path: str):
        super().__init__(message)
        self.path = path


def is_address(path: str | os.PathLike) -> bool:
    """Whether a path names something beyond the file systems of this machine."""
    found = _ADDRESS.match(os.fspath(path))
    return found is not None and found[1].lower() != _LOCAL


def path_of(path: str | os.PathLike, *parts: str) -> pathlib.Path:
    """The path that a user or a program gave, and `parts` below it.

    A `~` at its beginning is the user's home, which shells do not put behind `--data_dir=`.

    Raises:
        ValueError: it is a misspelled address.
    """
    text = os.fspath(path)
    if is_address(text):
        return cast(pathlib.Path, Address(text).joinpath(*parts))
    if wrong := _ONE_SLASH.match(text):
        raise ValueError(f"{text} has one slash after the colon: write {wrong[1]}://.")
    local = _LOCALHOST.sub("", text)
    if _ADDRESS.match(local):
        raise ValueError(f"{text} names a file of another machine: write file:///.")
    whole = pathlib.Path(local, *parts)
    return whole.expanduser() if whole.parts[:1] == ("~",) else whole


def absolute(path: str | os.PathLike) -> str:
    """The path in full, for messages and comparisons; addresses are so already."""
    return os.fspath(path) if is_address(path) else os.path.abspath(path_of(path))


@dataclasses.dataclass(frozen=True)
class Status:
    """What `stat` tells of a file at an address."""

    st_size: int
    st_mtime_ns: int


@functools.total_ordering
class Address:
    """A file or folder beyond this machine, with as much of `pathlib.Path` as we need.

    Args:
        text: the address, `scheme://...`.

    Raises:
        ValueError: a part of it is empty, `.` or `..`, which object stores take literally.
        OSError: from every method that goes there.
    """

    def __init__(self, text: str):
        scheme, slashes, rest = text.partition("://")
        self._scheme = scheme.lower() + slashes
        self._parts = tuple(rest.strip("/").split("/")) if rest.strip("/") else ()
        if {"", ".", ".."} & set(self._parts):
            raise ValueError(f"{text} has a part that is empty, `.` or `..`: write it out.")

    def __str__(self) -> str:
        return self._scheme + "/".join(self._parts)

    __fspath__ = __str__
    as_posix = __str__

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and str(self) == str(other)

    def __lt__(self, other: "Address") -> bool:
        return (self._scheme, self._parts) < (other._scheme, other._parts)

    def __hash__(self) -> int:
        return hash(str(self))

    def __truediv__(self, part: str | os.PathLike) -> "Address":
        return Address(f"{self}/{os.fspath(part)}")

    def joinpath(self, *parts: str | os.PathLike) -> "Address":
        return Address("/".join([str(self), *(os.fspath(part) for part in parts)]))

    @property
    def name(self) -> str:
        return self._parts[-1] if self._parts else ""

    @property
    def stem(self) -> str:
        return pathlib.PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        return pathlib.PurePosixPath(self.name).suffix

    @property
    def parent(self) -> "Address":
        return Address(self._scheme + "/".join(self._parts[:-1]))

    @property
    def parents(self) -> "tuple[Address, ...]":
        above = (self._parts[:count] for count in reversed(range(len(self._parts))))
        return tuple(Address(self._scheme + "/".join(parts)) for parts in above)

    def with_name(self, name: str) -> "Address":
        return self.parent / name

    def relative_to(self, other: "Address") -> pathlib.PurePosixPath:
        inner = self._parts[len(other._parts) :]
        if other.joinpath(*inner) != self:
            raise ValueError(f"{self} is not below {other}.")
        return pathlib.PurePosixPath(*inner)

    def absolute(self) -> "Address":
        return self

    resolve = expanduser = absolute

    def exists(self) -> bool:
        return self._status() is not None

    def is_dir(self) -> bool:
        status = self._status()
        return status is not None and status.is_directory

    def is_file(self) -> bool:
        status = self._status()
        return status is not None and not status.is_directory

    def _status(self) -> Any:
        """TensorFlow's status of the file or folder; None if there is none."""
        # Not `gfile.exists` and `isdir`, which also say no where nothing can be reached.
        try:
            with _system_errors(self) as gfile:
                status = gfile.stat(str(self))
                return status if self._is_whole_name(gfile) else None
        except FileNotFoundError:
            return None

    def _is_whole_name(self, gfile: Any) -> bool:
        """Whether there is more than a longer name, whose beginning ram:// takes for a folder."""
        if self._scheme != "ram://" or len(self._parts) < 2:
            return True
        return self.name in gfile.listdir(str(self.parent))

    def stat(self) -> Status:
        with _system_errors(self) as gfile:
            found = gfile.stat(str(self))
        return Status(found.length, found.mtime_nsec)

    def iterdir(self) -> "Iterator[Address]":
        with _system_errors(self) as gfile:
            # An object store lists folders with a slash behind their names.
            names = [name.rstrip("/") for name in gfile.listdir(str(self))]
        return (self / name for name in names)

    def glob(self, pattern: str) -> "Iterator[Address]":
        """As in pathlib, without `**`."""
        first, _, rest = pattern.partition("/")
        if not self.is_dir():
            return
        for path in sorted(self.iterdir()):
            if not fnmatch.fnmatchcase(path.name, first):
                continue
            if rest:
                yield from path.glob(rest)
            else:
                yield path

    def rglob(self, pattern: str) -> "Iterator[Address]":
        yield from self.glob(pattern)
        for path in sorted(self.iterdir()):
            if path.is_dir():
                yield from path.rglob(pattern)

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        if not exist_ok and self.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self))
        with _system_errors(self) as gfile:
            gfile.makedirs(str(self))

    def read_bytes(self) -> bytes:
        with opened(self) as file:
            return file.read()

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding)

    def unlink(self, missing_ok: bool = False) -> None:
        try:
            with _system_errors(self) as gfile:
                gfile.remove(str(self))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def rmtree(self) -> None:
        """Deletes a folder with all that is in it."""
        with _system_errors(self) as gfile:
            gfile.rmtree(str(self))

    def upload(self, path: pathlib.Path) -> None:
        """Makes this a copy of a file of this machine, whole or not at all."""
        partial = self.with_name(f".{self.name}.{secrets.token_hex(4)}.partial")
        with _system_errors(self) as gfile:
            gfile.makedirs(str(self.parent))
            try:
                gfile.copy(str(path), str(partial))
                gfile.rename(str(partial), str(self), overwrite=True)
            except BaseException:
                with contextlib.suppress(Exception):
                    gfile.remove(str(partial))
                raise


def remove_folder(path: pathlib.Path) -> None:
    """Deletes a folder with all that is in it."""
    if isinstance(path, Address):
        path.rmtree()
    else:
        shutil.rmtree(path)


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[IO[bytes]]:
    """A file to read a part of: unbuffered, since what follows the part is of no use.

    Args:
        path: from `path_of`, or the text of such a path.

    Raises:
        OSError: it cannot be read, also from within the block.
    """
    if not is_address(path):
        with open(path, "rb", buffering=0) as file:
            yield file
        return
    address = Address(os.fspath(path))
    with _system_errors(address) as gfile, gfile.GFile(str(address), "rb") as file:
        yield file


@contextlib.contextmanager
def local_copy(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """The file itself, or a copy of it on this machine, for readers that want a path of its own.

    The copy is deleted when the block ends.
    """
    if isinstance(path, pathlib.Path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, path.name)
        with _system_errors(path) as gfile:
            gfile.copy(str(path), str(copy))
        yield copy


@contextlib.contextmanager
def _system_errors(path: Address) -> Iterator[Any]:
    """Yields `tf.io.gfile`, and turns its errors in the block into those of the system."""
    import tensorflow as tf  # takes seconds, which paths of this machine do not need

    try:
        yield tf.io.gfile
    except tf.errors.UnimplementedError as error:
        known = sorted(f"{scheme}://" for scheme in tf.io.gfile.get_registered_schemes() if scheme)
        raise UnreachableError(
            f"{path} cannot be reached: this TensorFlow knows {', '.join(known)}. Others, such as "
            "s3://, need a plug-in for it.",
            str(path),
        ) from error
    except tf.errors.OpError as error:
        number = {
            tf.errors.NotFoundError: errno.ENOENT,
            tf.errors.AlreadyExistsError: errno.EEXIST,
            tf.errors.PermissionDeniedError: errno.EACCES,
            tf.errors.UnauthenticatedError: errno.EACCES,
            tf.errors.ResourceExhaustedError: errno.ENOSPC,
        }.get(type(error))
        if number:
            raise OSError(number, os.strerror(number), str(path)) from error
        reason = error.message.strip().partition("\n")[0]
        message = f"{path} cannot be read or written: {reason.rstrip('.')}."
        raise UnreachableError(message, str(path)) from error
