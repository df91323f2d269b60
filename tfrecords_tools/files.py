"""Whole or not at all: a file or folder appears under its name only once it is complete.

Whatever ends a program early (an error, a kill, a full disk, a power cut), the old file or none is
left under the name, and never half of the new one. All code that writes files goes through here.

    with files.replacing("out/a.mp4") as partial:
        encode(partial)

What goes to an address such as gs://bucket/folder is made on this machine and then uploaded: an
object store shows a file once all of it is there. It has no such thing as a renamed folder, so a
folder appears there file by file.
"""

import contextlib
import errno
import glob
import hashlib
import os
import pathlib
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any

from tfrecords_tools import paths
from tfrecords_tools.paths import Address

Path = str | os.PathLike

# How many bytes of the target's name go into the temporary one, which is longer: a long name could
# exceed what the file system allows.
_MAX_NAME = 100
_TOKEN_BYTES = 4

_HASHED_WHOLE = 32 << 20
_HASHED_ENDS = 1 << 20

# After these, whatever else is written fails, too: a full disk, a used-up quota, a disk that has
# become read-only.
_NOTHING_CAN_BE_WRITTEN = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class NotWrittenError(OSError):
    """A file or folder could not be written: one sentence that names it and the reason.

    Attributes:
        path: what could not be written.
        errno: the system's number for the reason.
    """

    def __init__(self, path: Path, number: int):
        super().__init__(f"{os.fspath(path)} cannot be written: {os.strerror(number)}.")
        self.path = os.fspath(path)
        self.errno = number


def ends_all_writing(error: BaseException) -> bool:
    """Whether an error means that no other file could be written either, as on a full disk."""
    return isinstance(error, OSError) and error.errno in _NOTHING_CAN_BE_WRITTEN


def check_folder(path: Path, or_address: bool = False) -> pathlib.Path:
    """Checks that a folder can be made and written to, or is there already; makes nothing.

    Programs call it before they start on work whose results go there. Whether an address may be
    written to is not known before something is.

    Args:
        path: the folder.
        or_address: whether it may be an address, such as gs://bucket/folder.

    Raises:
        OSError: something in the path is a file, or nothing may be written there.
        ValueError: it is an address, and must not be one.
    """
    whole = paths.path_of(path).absolute()
    if isinstance(whole, Address):
        if not or_address:
            raise ValueError(f"{whole} is an address, but a folder of this machine is needed.")
        if whole.is_file():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(whole))
        return whole
    there = next(part for part in (whole, *whole.parents) if part.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fspath(path))
    if not os.access(there, os.W_OK | os.X_OK):
        raise NotWrittenError(path, errno.EACCES)
    return paths.path_of(path)


@contextlib.contextmanager
def replacing(path: Path, *, keep_suffix: bool = False) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, which gets that name when the block ends well.

    The block writes the temporary file and closes it. Then the content is flushed to the disk
    before the file is renamed, so that the name never stands for less than all of it. An error in
    the block (or Ctrl-C) removes the temporary file and leaves what is at `path` as it is.
    Several programs may write one `path` at a time: each has a temporary file of its own.

    Args:
        path: the file; an existing one is replaced. Its folder must exist: a misspelled one should
            be reported and not be created, so callers that want to create folders do so.
        keep_suffix: let the temporary name end as `path` does, for writers that take the format
            from it. Otherwise it ends in `.partial`, so that no pattern such as `*.tfrecord`
            takes half a file for a whole one.

    Raises:
        NotWrittenError: the file cannot be written.
    """
    target = paths.path_of(path).absolute()
    partial = partial_path(target, keep_suffix)
    try:
        with named_errors(path, partial):
            yield partial
            put_in_place(partial, target)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def making_folder(path: Path, *, flush: bool = True) -> Iterator[pathlib.Path]:
    """Yields a temporary folder beside `path`, which gets that name when the block ends well.

    An error in the block (or Ctrl-C) removes the folder with everything in it.

    Args:
        path: the folder, which must not exist; the one that holds it must.
        flush: put every file on the disk before the folder gets its name. Without it a power cut
            may leave empty files in it; with it, thousands of files take minutes on a slow disk.

    Raises:
        NotWrittenError: the folder cannot be written, or `path` exists by now.
    """
    target = paths.path_of(path).absolute()
    partial = partial_path(target)
    try:
        with named_errors(path, partial):
            partial.mkdir()
            yield partial
            if isinstance(target, Address):
                _upload_all(partial, target)
                return
            if flush:
                _sync_all(partial)
            os.rename(partial, target)
            _sync_folder(target.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: Path, text: str, encoding: str = "utf-8", errors: str = "strict") -> None:
    """Writes a text file, whole or not at all; line ends stay as they are. See `replacing`."""
    write_bytes(path, text.encode(encoding, errors))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file, whole or not at all. See `replacing`."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_npz(path: Path, **arrays: Any) -> None:
    """Writes arrays as `np.savez` does, whole or not at all. See `replacing`."""
    import numpy as np  # takes a moment, which --help should not

    with replacing(path) as partial, open(partial, "wb", buffering=0) as file:
        np.savez(_FailsOnce(file), **arrays)


class _FailsOnce:
    """A file that takes no notice of anything after the first write that fails.

    A zip file that is dropped after an error tries to write its end. That fails, too, on a full
    disk, where Python cannot raise it any more but prints a traceback.
    """

    def __init__(self, file: IO[bytes]):
        self._file = file
        self._failed = False

    def write(self, data: bytes) -> int:
        view = memoryview(data).cast("B")
        written = 0
        while written < len(view) and not self._failed:
            try:
                written += self._file.write(view[written:])
            except OSError:
                self._failed = True
                raise
        return len(view)

    def __getattr__(self, name: str) -> Any:
        return (lambda *_: 0) if self._failed else getattr(self._file, name)


def partial_path(path: Path, keep_suffix: bool = False) -> pathlib.Path:
    """A temporary name beside `path`: hidden, and a different one at each call.

    For an address it is one in this machine's folder for temporary files. For writers whose file
    stays open over several calls; all others use `replacing`.
    """
    whole = paths.path_of(path)
    suffix = whole.suffix if keep_suffix else ""
    name = f".{_beginning(whole)}.{secrets.token_hex(_TOKEN_BYTES)}.partial{suffix}"
    if isinstance(whole, Address):
        return pathlib.Path(tempfile.gettempdir(), name)
    return whole.with_name(name)


def put_in_place(partial: pathlib.Path, path: Path) -> None:
    """Gives a finished temporary file its name, once its content is on the disk."""
    whole = paths.path_of(path)
    if isinstance(whole, Address):
        whole.upload(partial)
        partial.unlink()
        return
    _sync_file(partial)
    os.replace(partial, whole)
    _sync_folder(whole.parent)


def remove_leftovers(path: Path) -> None:
    """Deletes the temporary files and folders that killed writers of `path` left beside it.

    Only for a place where nobody else can be writing `path` at the same time. At an address no
    such thing is left.
    """
    whole = paths.path_of(path)
    if isinstance(whole, Address):
        return
    token = "[0-9a-f]" * (2 * _TOKEN_BYTES)
    for left in whole.parent.glob(f".{glob.escape(_beginning(whole))}.{token}.partial*"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def named_errors(path: Path, partial: Path | None = None) -> Iterator[None]:
    """Turns system errors in the block, which writes `path`, into one sentence about `path`.

    Errors pass unchanged if they name a file that is neither `path` nor `partial` (nor inside it),
    or if the program worded them itself: those are about something else.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or not _is_about(error.filename, path, partial):
            raise
        # The system's own words, because some libraries put the temporary name into theirs.
        raise NotWrittenError(path, error.errno) from error


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with paths.opened(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(root: pathlib.Path, files: Iterable[pathlib.Path], contents: bool = True) -> str:
    """A hash of the names, sizes and content of `files`; of large ones only the ends are read.

    Args:
        root: a folder that holds all of them; names are relative to it.
        files: the files, in any order.
        contents: whether content counts; if not, names and sizes alone decide.
    """
    digest = hashlib.sha256()
    for path in sorted(files):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(root).as_posix()}\0{size}\0".encode())
        if not contents:
            continue
        with paths.opened(path) as file:
            if size <= _HASHED_WHOLE:
                digest.update(file.read())
            else:
                digest.update(file.read(_HASHED_ENDS))
                file.seek(size - _HASHED_ENDS)
                digest.update(file.read())
    return digest.hexdigest()[:32]


def _beginning(path: pathlib.Path) -> str:
    """The part of the name that goes into a temporary one, cut between characters."""
    return os.fsencode(path.name)[:_MAX_NAME].decode("utf-8", "ignore")


def _is_about(filename: object, path: Path, partial: Path | None) -> bool:
    """Whether an error is about writing `path`; the error of a write names no file at all."""
    if filename is None:
        return True
    named, own = paths.path_of(str(filename)), paths.path_of(path)
    if named in (own, own.absolute()):
        return True
    return partial is not None and pathlib.Path(partial) in (named, *named.parents)


def _upload_all(folder: pathlib.Path, target: Address) -> None:
    """Uploads a folder; what lies deepest goes first, so that `saved_model.pb` is among the last.

    A server that polls the address may see the folder before it is whole.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    try:
        for path in sorted(files, key=lambda path: -len(path.parts)):
            target.joinpath(*path.relative_to(folder).parts).upload(path)
    except BaseException:
        with contextlib.suppress(OSError):
            target.rmtree()
        raise


def _sync_file(path: Path) -> None:
    with open(path, "r+b") as file:  # Windows flushes only what is open for writing.
        os.fsync(file.fileno())


def _sync_all(top: Path) -> None:
    for folder, _, names in os.walk(os.fspath(top)):
        for name in names:
            _sync_file(os.path.join(folder, name))
        _sync_folder(folder)


def _sync_folder(path: Path) -> None:
    """Flushes the names in a folder. Some systems cannot; the file is whole all the same."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
