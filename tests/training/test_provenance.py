"""run.json: where a run's numbers come from."""

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys

import pytest
import tensorflow as tf

import hmr_tf2
from hmr_tf2.hmr.system import HMR_SYSTEM
from hmr_tf2.training import provenance


@pytest.fixture(scope="module")
def record_files(sample_records):
    return [str(path) for path in sample_records.rglob("*.tfrecord")]


@pytest.fixture
def models(small_config):
    return HMR_SYSTEM.input_files(small_config)


def test_each_session_is_added_to_those_before(small_config, record_files, models, tmp_path):
    path = provenance.write_provenance(tmp_path, small_config, record_files, models, 0)
    first = json.loads(path.read_text())["sessions"]
    provenance.write_provenance(tmp_path, small_config, record_files, models, 120)
    sessions = provenance.read_provenance(tmp_path)
    assert sessions[:1] == first
    assert [session["start_step"] for session in sessions] == [0, 120]
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_session_tells_program_packages_machine_and_settings(
    small_config, record_files, models, tmp_path
):
    provenance.write_provenance(tmp_path, small_config, record_files, models, 0)
    (session,) = provenance.read_provenance(tmp_path)
    assert session["command"] == sys.argv
    assert session["hmr_tf2"] == hmr_tf2.__version__
    assert session["packages"]["tensorflow"] == tf.__version__
    assert session["machine"]["python"] == sys.version.split()[0]
    assert any("CPU" in device for device in session["machine"]["devices"])
    assert session["flags"]["e_lr"] == small_config.e_lr
    assert session["flags"]["datasets"] == ["lsp", "mpi_inf_3dhp"]
    body = pathlib.Path(small_config.smpl_model_path)
    assert session["models"][str(body)] == hashlib.sha256(body.read_bytes()).hexdigest()


def test_records_are_told_by_the_hash_of_their_manifests(sample_records, record_files):
    found = provenance.describe_records(record_files)
    manifests = [path for path in sample_records.rglob("*.manifest.json")]
    assert manifests and found["manifests"] == {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in manifests
    }
    assert found["without_manifest"] == {}


def test_manifests_of_records_that_are_not_used_are_left_out(sample_records):
    used = [str(path) for path in (sample_records / "lsp").glob("train_*.tfrecord")]
    assert used
    assert list(provenance.describe_records(used)["manifests"]) == [
        str(sample_records / "lsp" / "train.manifest.json")
    ]


def test_records_of_the_original_are_told_by_number_and_size(sample_records, tmp_path):
    (source,) = (sample_records / "lsp").glob("train_*.tfrecord")
    copies = [str(shutil.copy(source, tmp_path / f"train_{i:03}.tfrecord")) for i in range(2)]
    assert provenance.describe_records(copies) == {
        "manifests": {},
        "without_manifest": {str(tmp_path): {"files": 2, "bytes": 2 * source.stat().st_size}},
    }


def test_a_damaged_run_json_is_named_and_left_alone(small_config, tmp_path):
    path = tmp_path / "run.json"
    path.write_text('{"sessions": [')
    with pytest.raises(ValueError, match=r"run\.json is damaged.*move it away"):
        provenance.write_provenance(tmp_path, small_config, [], [], 0)
    assert path.read_text() == '{"sessions": ['


def test_git_tells_revision_and_change(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed.")
    (tmp_path / "hmr_tf2").mkdir()
    (tmp_path / "tfrecords_tools").mkdir()
    source = tmp_path / "hmr_tf2" / "a.py"
    source.write_text("1\n")

    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        return subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *arguments],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    revision = git("rev-parse", "HEAD")
    assert provenance.git_state(tmp_path) == {"revision": revision, "changed": False}
    source.write_text("2\n")
    assert provenance.git_state(tmp_path) == {"revision": revision, "changed": True}


def test_outside_a_checkout_there_is_no_revision(tmp_path):
    assert provenance.git_state(tmp_path) is None
    (tmp_path / ".git").mkdir()  # nor where git does not know what to say
    assert provenance.git_state(tmp_path) is None
