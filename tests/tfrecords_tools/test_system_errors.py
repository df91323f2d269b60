"""Errors of the system become sentences with the file, the flag that names it, and a remedy."""

import errno
import os
import shutil

import pytest

from tfrecords_tools.files import NotWrittenError
from tfrecords_tools.system_errors import sentence


def error_of(action, *args):
    with pytest.raises(OSError) as caught:
        action(*args)
    return caught.value


def test_a_missing_file_is_named_with_its_flag(tmp_path):
    path = str(tmp_path / "gone.pkl")
    error = error_of(open, path)
    settings = {"out_dir": "out", "smpl_model_path": path, "batch_size": 3, "sheet": None}
    assert sentence(error, settings) == f"{path} does not exist. --smpl_model_path names it."


def test_a_relative_flag_names_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = error_of(open, tmp_path / "gone.pkl")
    assert sentence(error, {"file": "gone.pkl"}).endswith("--file names it.")


def test_the_flag_of_the_nearest_folder_above_is_named(tmp_path):
    settings = {"raw": str(tmp_path), "lsp_dir": str(tmp_path / "lsp")}
    error = error_of(open, tmp_path / "lsp" / "images" / "1.jpg")
    assert sentence(error, settings).endswith(f"It is in --lsp_dir={tmp_path / 'lsp'}.")


def test_a_file_that_no_flag_names_is_named_alone(tmp_path):
    path = tmp_path / "gone"
    assert sentence(error_of(open, path), {"out": "elsewhere"}) == f"{path} does not exist."


def test_a_folder_in_place_of_a_file(tmp_path):
    assert sentence(error_of(open, tmp_path)) == f"{tmp_path} is a folder, but a file is needed."


@pytest.mark.parametrize("action", [os.mkdir, os.listdir])
def test_a_file_in_place_of_a_folder(action, tmp_path):
    file = tmp_path / "out"
    file.touch()
    error = error_of(action, file)
    assert sentence(error, {"out_dir": str(file)}) == (
        f"{file} is a file, but a folder is needed. --out_dir names it."
    )


def test_a_file_in_place_of_a_folder_above(tmp_path):
    file = tmp_path / "out"
    file.touch()
    error = error_of(os.makedirs, file / "run" / "best")
    assert f"because {file} is a file and not a folder." in sentence(error)


def test_of_two_names_the_one_that_is_written_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").touch()
    error = error_of(os.rename, tmp_path / "a", tmp_path / "b")
    assert str(tmp_path / "b") in sentence(error)
    assert "Directory not empty" in sentence(error)


def test_missing_permission_is_said():
    error = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/locked/x")
    assert sentence(error) == "/locked/x cannot be read or written: you have no permission to."


def test_an_error_without_a_file_keeps_the_reason():
    error = OSError(errno.EIO, os.strerror(errno.EIO))
    assert sentence(error) == "A file cannot be read or written: Input/output error."


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_has_a_remedy(number, tmp_path):
    path = tmp_path / "out" / "a.json"
    text = sentence(NotWrittenError(path, number), {"out_dir": str(tmp_path / "out")})
    assert text.startswith(f"{path} cannot be written: {os.strerror(number)}. It is in --out_dir=")
    assert text.endswith("Make room there, then run the same command again.")


def test_a_read_only_disk_has_a_remedy():
    text = sentence(NotWrittenError("/mnt/x", errno.EROFS))
    assert text.endswith("The disk is read-only; choose a folder on another.")


def test_words_of_the_program_stay_as_they_are(tmp_path):
    message = f"{tmp_path} is in use by train, process 7."
    assert sentence(OSError(message), {"model_dir": str(tmp_path)}) == message
    assert sentence(ValueError(message), {"model_dir": str(tmp_path)}) == message


def test_errors_of_copies_of_a_folder_are_told_in_words(tmp_path):
    (tmp_path / "a").mkdir()
    error = error_of(shutil.copytree, tmp_path / "a", tmp_path / "a")
    assert "[Errno" not in sentence(error)
