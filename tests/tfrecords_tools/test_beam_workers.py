"""Claims about `--runner=beam`: the same bytes as any other run."""

import importlib.util
import pathlib

import fake_data_set
import pytest

from tfrecords_tools import writer
from tfrecords_tools.beam_workers import BeamWorkers
from tfrecords_tools.paths import path_of
from tfrecords_tools.plan import ConversionError
from tfrecords_tools.pool import Workers

HAS_BEAM = importlib.util.find_spec("apache_beam") is not None


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.skipif(not HAS_BEAM, reason="the extra `beam` is not installed")
@pytest.mark.parametrize("mode", ["in_memory", "multi_processing"])
def test_beam_writes_the_same_bytes_and_leaves_nothing_else(tmp_path, monkeypatch, mode):
    here = pathlib.Path(__file__).parent
    monkeypatch.setenv("PYTHONPATH", f"{here}:{here.parents[1]}")  # for Beam's processes
    writer.write(fake_data_set.plan(), tmp_path / "local", Workers(1), max_skipped=0.1)
    (tmp_path / "beam").mkdir()
    options = ["runner=DirectRunner", "direct_num_workers=2", f"direct_running_mode={mode}"]
    workers = BeamWorkers(tmp_path / "beam", options)
    writer.write(fake_data_set.plan(), tmp_path / "beam", workers, max_skipped=0.1)
    assert contents(tmp_path / "beam") == contents(tmp_path / "local")
    assert [path.name for path in (tmp_path / "beam").iterdir()] == ["fake"]


@pytest.mark.skipif(not HAS_BEAM, reason="the extra `beam` is not installed")
def test_beam_and_its_workers_meet_at_an_address(tmp_path):
    """TensorFlow's memory stands for a bucket, so all workers are threads of this process."""
    writer.write(fake_data_set.plan(), tmp_path, Workers(1), max_skipped=0.1)
    folder = path_of("ram://beam")
    folder.mkdir()
    options = ["runner=DirectRunner", "direct_num_workers=2", "direct_running_mode=in_memory"]
    writer.write(fake_data_set.plan(), folder, BeamWorkers(folder, options), max_skipped=0.1)
    assert contents(folder) == contents(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["fake"]


@pytest.mark.skipif(HAS_BEAM, reason="the extra `beam` is installed")
def test_without_beam_the_error_says_what_to_install(tmp_path):
    with pytest.raises(ConversionError, match=r"hmr_tf2\[beam\].*--runner=local"):
        BeamWorkers(tmp_path, [])
