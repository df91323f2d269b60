"""Addresses behave as paths of this machine do."""

import errno
import os
import pathlib
import re

import pytest
import tensorflow as tf

from tfrecords_tools import files, paths, system_errors
from tfrecords_tools.paths import Address, path_of


@pytest.fixture(params=["disk", "address"])
def root(request, tmp_path):
    """A folder with a few files, on a disk and in TensorFlow's memory."""
    folder = path_of("ram://paths" if request.param == "address" else tmp_path)
    for name in ("a/x_0.txt", "a/x_1.txt", "a/.x_2.txt", "b/c/x_3.txt", "y.bin"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(path, name.encode())
    yield folder
    paths.remove_folder(folder)
    assert not folder.exists()


def test_what_is_local_is_a_path_of_pathlib():
    for text in ("records", "/a/b", "file:///a/b", "C:/a"):
        assert isinstance(path_of(text), pathlib.Path)
    assert str(path_of("file:///a/b", "c")) == "/a/b/c"
    assert paths.absolute("a") == os.path.abspath("a")


def test_a_tilde_is_the_home_that_shells_do_not_put_behind_a_flag(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert str(path_of("~/records", "lsp")) == "/home/me/records/lsp"
    assert str(path_of("a~/b")) == "a~/b"


@pytest.mark.parametrize("text", ["file:///a/b", "file://localhost/a/b", "FILE:///a/b"])
def test_the_address_of_a_file_of_this_machine_is_its_path(text):
    assert not paths.is_address(text) and str(path_of(text)) == "/a/b"


@pytest.mark.parametrize(
    "text, message",
    [
        ("gs:/bucket/run", "one slash after the colon: write gs://"),
        ("file:/a/b", "write file://"),
        ("file://other/a", "another machine"),
        ("gs://bucket//run", "a part that is empty"),
        ("gs://bucket/../run", "a part that is empty, `.` or `..`"),
    ],
)
def test_a_misspelled_address_is_refused(text, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        path_of(text)
    assert str(error.value).startswith(text)


def test_schemes_are_written_in_any_case():
    assert str(path_of("GS://Bucket/Run")) == "gs://Bucket/Run"


def test_a_folder_that_must_be_of_this_machine_is_none_at_an_address():
    with pytest.raises(ValueError, match="gs://b/x is an address, but a folder of this machine"):
        files.check_folder("gs://b/x")
    assert str(files.check_folder("ram://b/x", or_address=True)) == "ram://b/x"


def test_an_address_that_cannot_be_reached_names_its_flag():
    with pytest.raises(OSError) as error:
        path_of("s3://bucket/records/lsp").is_dir()
    message = system_errors.sentence(error.value, {"data_dir": "s3://bucket/records"})
    assert message.startswith("s3://bucket/records/lsp cannot be reached: this TensorFlow knows ")
    assert message.endswith("It is in --data_dir=s3://bucket/records.")


def test_an_address_keeps_its_slashes():
    path = path_of("gs://bucket/run/", "best")
    assert isinstance(path, Address) and str(path) == "gs://bucket/run/best" == os.fspath(path)
    assert str(path_of(path, "x", "y")) == "gs://bucket/run/best/x/y"
    assert paths.absolute(path) == str(path)


@pytest.mark.parametrize("part", ["name", "stem", "suffix"])
@pytest.mark.parametrize("name", ["ckpt-3.index", "a.tar.gz", ".lock", "x"])
def test_parts_of_a_name_are_those_of_pathlib(part, name):
    assert getattr(path_of("gs://b/c", name), part) == getattr(pathlib.PurePosixPath(name), part)


def test_what_is_above_and_below_an_address_is_known():
    path = path_of("gs://bucket/a/b")
    assert list(map(str, path.parents)) == ["gs://bucket/a", "gs://bucket", "gs://"]
    assert path.with_name("c") == path_of("gs://bucket/a/c") != path
    assert path.relative_to(path_of("gs://bucket")) == pathlib.PurePosixPath("a/b")
    assert sorted([path, path.parent]) == [path.parent, path]
    with pytest.raises(ValueError, match="not below"):
        path.relative_to(path_of("gs://other"))


def test_the_same_files_are_found(root):
    def found(paths):
        return sorted(path.relative_to(root).as_posix() for path in paths)

    assert found(root.iterdir()) == ["a", "b", "y.bin"]
    assert found(root.glob("a/x_*.txt")) == ["a/x_0.txt", "a/x_1.txt"]
    assert found(root.glob("*/*/*.txt")) == ["b/c/x_3.txt"]
    assert found(root.rglob("*_[13].txt")) == ["a/x_1.txt", "b/c/x_3.txt"]
    assert found(root.glob("nothing/*")) == []
    assert (root / "a").is_dir() and not (root / "a").is_file()
    assert (root / "y.bin").is_file() and not (root / "y.bin").is_dir()
    assert not (root / "z").exists() and not (root / "z").is_dir() and not (root / "z").is_file()


def test_the_beginning_of_a_name_is_not_a_folder(root):
    assert not (root / "a" / "x_").exists() and not (root / "a" / "x_").is_dir()
    files.write_bytes(root / "a" / "x_0", b"")
    assert (root / "a" / "x_0").is_file() and not (root / "a" / "x_0").is_dir()


def test_files_are_written_read_and_deleted(root):
    path = root / "y.bin"
    assert path.stat().st_size == 5 and path.read_text() == "y.bin"
    files.write_bytes(path, b"0123456789")
    with paths.opened(os.fspath(path)) as file:
        file.seek(4)
        assert file.read(3) == b"456"
    with paths.local_copy(path) as local:
        assert local.read_bytes() == b"0123456789"
    path.unlink()
    path.unlink(missing_ok=True)
    for use in (path.unlink, path.read_bytes, path.stat):
        with pytest.raises(FileNotFoundError) as error:
            use()
        assert error.value.filename == os.fspath(path)
    with pytest.raises(FileExistsError):
        (root / "a").mkdir()
    (root / "a").mkdir(exist_ok=True)


def test_a_file_appears_whole_or_not_at_all(root):
    with pytest.raises(ZeroDivisionError), files.replacing(root / "y.bin") as partial:
        partial.write_bytes(b"half")
        raise ZeroDivisionError
    assert (root / "y.bin").read_bytes() == b"y.bin" and not partial.exists()
    files.write_text(root / "y.bin", "ä")
    assert (root / "y.bin").read_text(encoding="utf-8") == "ä"
    assert {path.name for path in root.iterdir()} == {"a", "b", "y.bin"}


def test_a_folder_appears_whole_or_not_at_all(root):
    with pytest.raises(ZeroDivisionError), files.making_folder(root / "new") as partial:
        (partial / "x").write_bytes(b"x")
        raise ZeroDivisionError
    assert not (root / "new").exists()
    with files.making_folder(root / "new") as partial:
        (partial / "inner").mkdir()
        (partial / "inner" / "x").write_bytes(b"x")
        (partial / "saved_model.pb").write_bytes(b"")
    assert (root / "new/inner/x").read_bytes() == b"x"
    assert (root / "new/saved_model.pb").exists() and not partial.exists()


def test_the_model_of_an_upload_comes_after_its_weights(monkeypatch):
    """A server that polls the address should not take a folder for a model too soon."""
    order = []
    monkeypatch.setattr(Address, "upload", lambda self, _: order.append(str(self)))
    with files.making_folder("ram://paths/model") as partial:
        (partial / "variables").mkdir()
        for name in ("saved_model.pb", "variables/variables.index"):
            (partial / name).write_bytes(b"")
    assert order == [
        "ram://paths/model/variables/variables.index",
        "ram://paths/model/saved_model.pb",
    ]


def test_nothing_is_left_of_an_upload_that_fails(monkeypatch):
    upload = Address.upload

    def fails(self, path):
        if self.name == "b":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        upload(self, path)

    monkeypatch.setattr(Address, "upload", fails)
    with (
        pytest.raises(OSError, match="ram://paths/model"),
        files.making_folder("ram://paths/model") as partial,
    ):
        for name in "ab":
            (partial / name).write_bytes(b"")
    assert not path_of("ram://paths/model").exists()


@pytest.mark.parametrize(
    "error, kind",
    [
        (tf.errors.PermissionDeniedError, PermissionError),
        (tf.errors.UnauthenticatedError, PermissionError),
        (tf.errors.UnavailableError, OSError),
    ],
)
def test_errors_of_tensorflow_become_those_of_the_system(monkeypatch, error, kind):
    def fail(_):
        raise error(None, None, "no token\nat line 3")

    monkeypatch.setattr(tf.io.gfile, "stat", fail)
    path = path_of("gs://bucket/x")
    for use in (path.stat, path.exists, path.is_dir, path.is_file):
        with pytest.raises(kind, match="gs://bucket/x") as found:
            use()
        assert "line 3" not in str(found.value)
