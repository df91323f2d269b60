"""Kept predictions: what goes in comes out, and nothing stale or damaged ever does."""

import resource
import shutil

import h5py
import numpy as np
import pytest

from hmr_tf2.evaluation import predictions
from tfrecords_tools.files import NotWrittenError


@pytest.fixture
def arrays(rng):
    return {
        "prediction/theta": rng.normal(size=(3, 85)).astype(np.float32),
        "truth/filename": np.array([b"a.png", b"\xc3\xa4.png", b""], object),
        "truth/activity": np.array([1, 0, 7]),
        "record": np.arange(3),
    }


def test_arrays_come_back_as_they_were(tmp_path, arrays):
    path = tmp_path / "new" / "a.h5"
    predictions.save(path, arrays, "key")
    found = predictions.load(path, "key")
    assert set(found) == set(arrays)
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == values.dtype
    assert [p.name for p in path.parent.iterdir()] == ["a.h5"]


def test_another_key_finds_nothing(tmp_path, arrays):
    predictions.save(tmp_path / "a.h5", arrays, "key")
    assert predictions.load(tmp_path / "a.h5", "other") is None
    assert predictions.load(tmp_path / "b.h5", "key") is None


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.95])
def test_a_file_that_was_cut_off_counts_as_none(tmp_path, arrays, keep):
    path = tmp_path / "a.h5"
    predictions.save(path, arrays, "key")
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else keep])
    assert predictions.load(path, "key") is None


def test_a_file_without_a_key_counts_as_none(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["record"] = [1]
    assert predictions.load(tmp_path / "a.h5", "key") is None


def test_the_key_is_of_content_and_settings_not_of_the_place(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ckpt.index").write_bytes(b"weights")
    files = [tmp_path / "a" / "ckpt.index"], [tmp_path / "b" / "ckpt.index"]
    keys = [predictions.fingerprint(f, step=1) for f in files]
    assert keys[0] == keys[1]
    assert predictions.fingerprint(files[0], step=2) != keys[0]
    (tmp_path / "a" / "ckpt.index").write_bytes(b"Weights")
    assert predictions.fingerprint(files[0], step=1) != keys[0]
    shutil.move(tmp_path / "b" / "ckpt.index", tmp_path / "b" / "ckpt-2.index")
    assert predictions.fingerprint([tmp_path / "b" / "ckpt-2.index"], step=1) != keys[1]


def test_without_room_the_old_predictions_stay(arrays, tmp_path):
    """HDF5 that writes to such a disk itself ends the whole program."""
    path = tmp_path / "a.h5"
    predictions.save(path, arrays, "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(NotWrittenError, match="a.h5 cannot be written: File too large."):
            predictions.save(path, arrays, "new")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert predictions.load(path, "old") is not None
