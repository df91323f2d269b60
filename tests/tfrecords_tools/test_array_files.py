"""NumPy's own files: read exactly, without pickles, and within what they really hold."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
import scipy.sparse as sp

from tfrecords_tools import array_files

ARRAYS = {
    "doubles": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big_endian": np.array([1, 2], ">i4"),
    "text": np.array(["a", "bc"]),
    "nothing": np.zeros((0, 3)),
    "number": np.array(2.5),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_as_they_were_written(tmp_path, save):
    save(tmp_path / "file.npz", **ARRAYS)
    arrays, objects = array_files.load_npz(tmp_path / "file.npz")
    assert objects == () and arrays.keys() == ARRAYS.keys()
    for name, want in ARRAYS.items():
        assert arrays[name].dtype == want.dtype and np.array_equal(arrays[name], want), name
        np.save(tmp_path / "file.npy", want)
        assert np.array_equal(array_files.load_npy(tmp_path / "file.npy"), want), name


def test_python_objects_are_named_and_not_read(tmp_path):
    objects = np.array([None, {}])
    np.savez(tmp_path / "file.npz", f=np.arange(3), hands=objects)
    arrays, names = array_files.load_npz(tmp_path / "file.npz")
    assert list(arrays) == ["f"] and names == ("hands",)
    np.save(tmp_path / "file.npy", objects)
    with pytest.raises(ValueError, match=r"file\.npy.*Python objects"):
        array_files.load_npy(tmp_path / "file.npy")


def announcing(shape, data=b"", dtype="<f8"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return file.getvalue() + data


@pytest.mark.parametrize(
    "content",
    [
        announcing((1 << 40,), b"x" * 8),
        announcing((1 << 40, 1 << 40)),
        announcing((-1,)),
        announcing((2,), b"x" * 15),
        announcing((2,), b"x" * 17),
        announcing((1 << 40,), dtype="|S0"),
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"\x93NUMPY\x09\x00\x02\x00{}",
        b"",
    ],
)
def test_what_a_file_announces_and_does_not_hold_is_refused_by_name(tmp_path, content):
    (tmp_path / "file.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"file\.npy cannot be read"):
        array_files.load_npy(tmp_path / "file.npy")
    with zipfile.ZipFile(tmp_path / "file.npz", "w") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(ValueError, match=r"file\.npz cannot be read"):
        array_files.load_npz(tmp_path / "file.npz")


def test_an_archive_that_grows_a_thousandfold_takes_no_memory(tmp_path):
    zeros = announcing((64 << 20,), bytes(8 << 20))[: 8 << 20]
    with zipfile.ZipFile(tmp_path / "file.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(34):
            archive.writestr(f"{number}.npy", zeros)
    tracemalloc.start()
    with pytest.raises(ValueError, match="holds more than a file of its size should"):
        array_files.load_npz(tmp_path / "file.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


def test_damaged_archives_are_refused_by_name(tmp_path):
    np.savez_compressed(tmp_path / "whole.npz", a=np.arange(50.0), b=np.arange(3))
    whole = (tmp_path / "whole.npz").read_bytes()
    rng = np.random.default_rng(0)
    for attempt in range(300):
        data = bytearray(whole)
        data[rng.integers(len(data))] = rng.integers(256)
        (tmp_path / "file.npz").write_bytes(data if attempt % 3 else whole[: attempt * 2])
        try:
            array_files.load_npz(tmp_path / "file.npz")
        except ValueError as error:
            assert "file.npz" in str(error)


@pytest.mark.parametrize("kind", ["csc", "csr", "coo", "bsr", "dia"])
def test_a_sparse_matrix_of_scipy_comes_as_it_was(tmp_path, kind):
    want = sp.random(6, 9, 0.3, kind, random_state=0)
    sp.save_npz(tmp_path / "file.npz", want)
    arrays, _ = array_files.load_npz(tmp_path / "file.npz")
    got = array_files.sparse_matrix(arrays)
    assert np.array_equal(got.toarray(), want.toarray())


def test_a_sparse_matrix_that_contradicts_itself_is_refused():
    arrays = {
        "format": np.array(b"csr"),
        "shape": np.array([2, 2]),
        "data": np.ones(1),
        "indices": np.array([7]),
        "indptr": np.array([0, 1, 1]),
    }
    for wrong in ({}, {"format": np.array("xyz")}, {"shape": np.array([2])}):
        with pytest.raises(ValueError):
            array_files.sparse_matrix(arrays | wrong)
    assert array_files.sparse_matrix({"pose": np.zeros(3)}) is None
