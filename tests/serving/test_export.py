"""The exported folder: whole or absent, and equal to the Keras model."""

import threading

import numpy as np
import pytest

from hmr_tf2 import serving
from hmr_tf2.serving import export_check, saved_model
from tfrecords_tools.locks import InUseError, locked


def test_versions_count_up_and_an_existing_one_is_refused(untrained, exported):
    assert exported.name == "1"
    with pytest.raises(FileExistsError, match="1 exists: give another --version"):
        serving.export(untrained, exported.parent, version=1)
    assert saved_model._next_version(exported.parent) == 2


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_outputs_equal_the_keras_model_for_any_batch(untrained, exported, load_export, rng, batch):
    images = rng.uniform(-1, 1, (batch, 224, 224, 3)).astype(np.float32)
    got = load_export(exported.parent)(images)
    expected = untrained.predict(images, verbose=0)
    assert set(got) == {*expected, "rotations", "valid"}
    assert got["valid"].all()
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-4, err_msg=name)


def test_nothing_is_left_of_an_export_that_fails_its_check(untrained, tmp_path, monkeypatch):
    def fail(*_):
        raise ValueError("differs")

    monkeypatch.setattr(saved_model, "check_export", fail)
    with pytest.raises(ValueError, match="differs"):
        serving.export(untrained, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_poller_never_sees_half_a_version(untrained, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "check_export", lambda *_: None)
    seen, found, done = [], threading.Event(), threading.Event()

    def poll():
        while not done.is_set():
            for version in tmp_path.glob("[0-9]*"):
                seen.append(sorted(path.name for path in version.rglob("*") if path.is_file()))
                found.set()
            done.wait(0.001)

    poller = threading.Thread(target=poll)
    poller.start()
    folder = serving.export(untrained, tmp_path)
    found.wait(30)
    done.set()
    poller.join()
    whole = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert {"saved_model.pb", "variables.index", "tf_serving_warmup_requests"} < set(whole)
    assert seen and all(files == whole for files in seen)


def test_the_check_notices_a_changed_weight(untrained, exported):
    bias = untrained.regressor.out.bias
    before = bias.numpy()
    bias.assign(before + 0.01)
    try:
        with pytest.raises(ValueError, match="The exported .* differs"):
            export_check.check_export(untrained, exported)
    finally:
        bias.assign(before)


def test_the_check_notices_another_mesh(untrained, exported, monkeypatch):
    monkeypatch.setattr(untrained.smpl, "faces", untrained.smpl.faces[:, ::-1])
    with pytest.raises(ValueError, match="The exported faces of mesh differs"):
        export_check.check_export(untrained, exported)


def test_versions_below_one_are_refused(untrained, tmp_path):
    with pytest.raises(ValueError, match="--version must be at least 1; got 0"):
        serving.export(untrained, tmp_path, version=0)


def test_two_exports_at_once_do_not_meet(untrained, tmp_path):
    with locked(tmp_path, ""), pytest.raises(InUseError, match="Wait until that export"):
        serving.export(untrained, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_tensorflow_takes_for_a_pattern_is_refused(untrained, tmp_path):
    with pytest.raises(ValueError, match="takes for a pattern"):
        serving.export(untrained, tmp_path / "models [1]")
    assert not list(tmp_path.iterdir())
