"""One writer a folder, whatever became of the one before."""

import fcntl
import importlib.util
import os
import subprocess
import sys
import types

import pytest

from tfrecords_tools import locks
from tfrecords_tools.locks import InUseError, locked

HOLD = """
import sys
import types
from tfrecords_tools.locks import locked
with locked(sys.argv[1], ""):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_second_program_is_told_of_the_first(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdout.readline() == "locked\n"
        with pytest.raises(InUseError) as refusal, locked(tmp_path, "Wait for it."):
            pass
        assert f"{tmp_path} is in use by " in str(refusal.value)
        assert f"process {first.pid} on {os.uname().nodename}" in str(refusal.value)
        assert str(refusal.value).endswith("Wait for it.")
        first.kill()
        first.wait()
        with locked(tmp_path, ""):  # a kill has ended its lock
            pass
    assert not list(tmp_path.iterdir())


def test_a_folder_is_locked_under_each_of_its_names(tmp_path):
    with locked(tmp_path, ""), pytest.raises(InUseError):
        with locked(f"file://{tmp_path}", ""):
            pass


def test_an_error_ends_the_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path, ""):
        raise ZeroDivisionError
    with locked(tmp_path, ""):
        pass


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b'{"program": 1}'])
def test_a_note_that_cannot_be_read_names_another_program(tmp_path, content):
    path = tmp_path / locks.FILE
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InUseError, match="in use by another program"), locked(tmp_path, ""):
            pass


def test_a_disk_without_locks_is_named_and_used(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path, ""):
        assert "cannot be locked (Function not implemented)" in caplog.text


def test_a_lock_file_that_was_deleted_meanwhile_is_not_taken_for_the_lock(tmp_path, monkeypatch):
    """The program before deletes its file between this one's opening and locking it."""
    flock, path = fcntl.flock, tmp_path / locks.FILE

    def delete_first(*arguments):
        monkeypatch.setattr(fcntl, "flock", flock)
        path.unlink()
        return flock(*arguments)

    monkeypatch.setattr(fcntl, "flock", delete_first)
    with locked(tmp_path, ""):
        assert path.exists()
        with pytest.raises(InUseError), locked(tmp_path, ""):
            pass


def test_a_read_only_folder_needs_no_lock(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with locked(tmp_path, ""):
        pass


@pytest.fixture
def locks_of_windows(monkeypatch):
    """The module as Windows gets it, with Windows' locks made of the system's: a part of a file.

    As there, a process cannot delete a file that is open, and no other one can read a locked byte.
    """

    def lock(descriptor, mode, size):
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, size, 0, os.SEEK_CUR)
        except BlockingIOError:
            raise PermissionError(13, "Permission denied") from None

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=lock, LK_NBLCK=2))
    monkeypatch.setitem(sys.modules, "fcntl", None)
    spec = importlib.util.spec_from_file_location("locks_of_windows", locks.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    monkeypatch.undo()


HOLD_PART = """
import fcntl, os, sys
file = open(sys.argv[1], "a+")
file.write('{"program": "train.py", "process": 7, "machine": "pc", "since": "noon"}')
file.flush()
fcntl.lockf(file, fcntl.LOCK_EX, 1, 1 << 30, os.SEEK_SET)
print("locked", flush=True)
sys.stdin.read()
"""


def test_windows_has_a_lock_too(locks_of_windows, tmp_path):
    with locks_of_windows.locked(tmp_path, ""):
        pass
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_PART, str(tmp_path / locks.FILE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdout.readline() == "locked\n"
        with pytest.raises(locks_of_windows.InUseError) as refusal:
            with locks_of_windows.locked(tmp_path, "Wait for it."):
                pass
        first.kill()
    assert "is in use by train.py, process 7 on pc, since noon. Wait for it." in str(refusal.value)
    with locks_of_windows.locked(tmp_path, ""):
        pass
