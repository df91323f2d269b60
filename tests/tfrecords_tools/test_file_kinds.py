"""Files are named by their content, whatever their names say."""

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile

import h5py
import numpy as np
import pytest

from tfrecords_tools import file_kinds


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return file.getvalue()


def tarred():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("models/body.pkl"))
    return file.getvalue()


def saved(save, *arguments, **named):
    file = io.BytesIO()
    save(file, *arguments, **named)
    return file.getvalue()


def hdf5():
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        content["pose"] = np.zeros(72)
    return file.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 39001280\n"
CONTENTS = {
    "empty": (b"", file_kinds.EMPTY),
    "zeros": (bytes(4096), file_kinds.ZEROS),
    "lfs": (LFS, file_kinds.LFS_POINTER),
    "html": (b"<!DOCTYPE html>\n<html><head><title>Sign in</title>", file_kinds.HTML),
    "html in capitals": (b"\r\n  <HTML>", file_kinds.HTML),
    "html with a byte order mark": ("﻿<!doctype html>".encode(), file_kinds.HTML),
    "html in UTF-16": ("<html lang='en'>".encode("utf-16"), file_kinds.HTML),
    "html after a comment": (b"<!-- saved -->\n<html>", file_kinds.HTML),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", file_kinds.XML),
    "json": (b'{"f": [[0, 1, 2]]}', file_kinds.JSON),
    "json list": (b"\n[1, 2]", file_kinds.JSON),
    "text": ("Sorry, the quota is exceeded: später.".encode(), file_kinds.TEXT),
    "npy": (saved(np.save, np.zeros(3)), file_kinds.NPY),
    "npz": (saved(np.savez, pose=np.zeros(3)), file_kinds.NPZ),
    "compressed npz": (saved(np.savez_compressed, pose=np.zeros(3)), file_kinds.NPZ),
    "torch": (zipped("archive/data.pkl", "archive/version"), file_kinds.PYTORCH),
    "old torch": (pickle.dumps(0x1950A86A20F9469CFC6C, 2), file_kinds.PYTORCH),
    "onnx": (b"\x08\x07\x12\x07pytorch\x1a\x051.9.0", file_kinds.ONNX),
    "zip": (zipped("smpl/models/basicmodel_m.pkl"), file_kinds.ZIP),
    "empty zip": (zipped(), file_kinds.ZIP),
    "gzip": (gzip.compress(b"body"), file_kinds.GZIP),
    "bzip2": (bz2.compress(b"body"), file_kinds.BZIP2),
    "xz": (lzma.compress(b"body"), file_kinds.XZ),
    "7z": (b"7z\xbc\xaf\x27\x1c\x00\x04", file_kinds.SEVEN_ZIP),
    "rar": (b"Rar!\x1a\x07\x01\x00", file_kinds.RAR),
    "tar": (tarred(), file_kinds.TAR),
    "hdf5": (hdf5(), file_kinds.HDF5),
    "picture": (b"\x89PNG\r\n\x1a\n\x00\x00", file_kinds.PICTURE),
    "pdf": (b"%PDF-1.5\n", file_kinds.PDF),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_is_what_its_content_says(name, tmp_path):
    content, kind = CONTENTS[name]
    assert file_kinds.kind_of(content[: file_kinds.HEAD_BYTES]) == kind
    (tmp_path / "body.pkl").write_bytes(content)
    assert file_kinds.kind_of_file(tmp_path / "body.pkl") == kind


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("value", [{"f": np.zeros(3)}, [1], (1, 2), np.zeros((2, 2)), {}])
def test_no_pickle_is_taken_for_another_kind(protocol, value):
    assert file_kinds.kind_of(pickle.dumps(value, protocol)) in (None, file_kinds.PICKLE)


def test_what_is_not_known_has_no_kind():
    rng = np.random.default_rng(0)
    for _ in range(500):
        content = b"\xfe" + rng.bytes(60)
        assert file_kinds.kind_of(content) in (None, file_kinds.TEXT)


def test_every_beginning_of_a_file_has_a_kind_or_none():
    for content, _ in CONTENTS.values():
        for end in range(min(len(content), 300)):
            file_kinds.kind_of(content[:end])


@pytest.mark.parametrize(
    "kind, way_out",
    [
        (file_kinds.LFS_POINTER, "git lfs pull"),
        (file_kinds.HTML, "Log in to the site"),
        (file_kinds.EMPTY, "Download the body again"),
        (file_kinds.SEVEN_ZIP, "Unpack it"),
        (file_kinds.PICTURE, "Give the body instead"),
    ],
)
def test_a_remedy_says_what_to_do(kind, way_out):
    assert way_out in file_kinds.remedy(kind, "the body")
