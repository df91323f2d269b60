"""Claims about the writer: whole shards or none, resumable, the same bytes in every case."""

import contextlib
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import fake_data_set
import pytest
import tensorflow as tf

from tfrecords_tools import files, manifest, writer
from tfrecords_tools.locks import InUseError
from tfrecords_tools.plan import ConversionError, Converted, Items
from tfrecords_tools.pool import Workers

HERE = pathlib.Path(__file__).parent


def write(data_dir, plan=None, workers=1, **options) -> writer.Result:
    options = {"max_skipped": 0.1, **options}
    with Workers(workers) as pool:
        return writer.write(plan or fake_data_set.plan(), pathlib.Path(data_dir), pool, **options)


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    """Every file below `folder`, hidden ones included."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def records_in(path: pathlib.Path) -> list[bytes]:
    return list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    write(folder)
    return folder


def test_shards_hold_all_records_in_order(uninterrupted):
    expected = [r for item in range(60) for r in fake_data_set.read(0, item).examples]
    shards = sorted((uninterrupted / "fake").glob("*.tfrecord"))
    got = [record for shard in shards for record in records_in(shard)]
    assert got == expected
    assert {len(records_in(shard)) for shard in shards[:-1]} == {8}


def test_the_manifest_counts_what_is_there(uninterrupted):
    found = manifest.load(uninterrupted / "fake" / "train.manifest.json")
    assert found.complete and found.examples == sum(shard.examples for shard in found.shards)
    assert found.skipped == {"by plan": 2, "damaged": 1, "seventh": 8}
    assert found.faults == ["damaged: item 30"]
    for shard in found.shards:
        path = uninterrupted / "fake" / shard.file
        assert path.stat().st_size == shard.size and files.sha256_of(path) == shard.sha256


def test_any_number_of_workers_gives_the_same_bytes(uninterrupted, tmp_path):
    write(tmp_path, workers=2)
    assert contents(tmp_path) == contents(uninterrupted)


def test_pictures_are_kept_together_where_the_original_does(tmp_path):
    write(tmp_path, fake_data_set.plan(keeps_items_whole=True, examples_per_shard=2))
    for shard in (tmp_path / "fake").glob("*.tfrecord"):
        first_of_next = records_in(shard)[0]
        assert first_of_next.startswith(b"item ") and b" record 0 " in first_of_next


def test_one_shard_an_item_carries_its_name(tmp_path):
    names = [f"S{item}.tfrecord" for item in range(fake_data_set.NUM_ITEMS)]
    write(tmp_path, fake_data_set.plan(shards="fake/*.tfrecord", shard_names=names))
    present = {path.name for path in (tmp_path / "fake").glob("*.tfrecord")}
    assert present == {name for k, name in enumerate(names) if fake_data_set.read(0, k).examples}
    assert (tmp_path / "fake" / "fake.manifest.json").is_file()


def test_a_killed_run_continues_to_the_same_bytes(uninterrupted, tmp_path):
    rng = random.Random(0)
    for _ in range(3):
        run = subprocess.Popen(
            [sys.executable, str(HERE / "fake_data_set.py"), str(tmp_path), "0.02", "2"],
            cwd=HERE.parents[1],
            env={"PYTHONPATH": str(HERE.parents[1]), "PATH": "/usr/bin:/bin"},
            stderr=subprocess.DEVNULL,
        )
        wait_for_new_shard(tmp_path / "fake", run)
        time.sleep(rng.uniform(0, 0.1))
        run.send_signal(signal.SIGKILL)
        run.wait()
        for shard in (tmp_path / "fake").glob("*.tfrecord"):
            whole = uninterrupted / "fake" / shard.name
            assert shard.read_bytes() == whole.read_bytes()
    write(tmp_path)
    assert contents(tmp_path) == contents(uninterrupted)


def wait_for_new_shard(folder: pathlib.Path, run: subprocess.Popen) -> None:
    before = len(list(folder.glob("*.tfrecord")))
    while len(list(folder.glob("*.tfrecord"))) == before and run.poll() is None:
        time.sleep(0.005)


@pytest.mark.parametrize("lost", ["train_000.tfrecord", "train_003.tfrecord"])
def test_a_lost_or_cut_shard_is_written_again(uninterrupted, tmp_path, lost):
    shutil.copytree(uninterrupted, tmp_path, dirs_exist_ok=True)
    (tmp_path / "fake" / lost).write_bytes(b"cut")
    assert not write(tmp_path).was_complete
    assert contents(tmp_path) == contents(uninterrupted)


def test_a_finished_data_set_is_left_alone(uninterrupted, tmp_path):
    shutil.copytree(uninterrupted, tmp_path, dirs_exist_ok=True)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "fake").iterdir()}

    def never():
        raise AssertionError("opened the raw data of a finished data set")

    assert write(tmp_path, fake_data_set.plan(open_items=never)).was_complete
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "fake").iterdir()} == before


def test_other_settings_are_refused_and_named(uninterrupted, tmp_path):
    shutil.copytree(uninterrupted, tmp_path, dirs_exist_ok=True)
    before = contents(tmp_path)
    with pytest.raises(
        ConversionError, match=r"examples_per_shard was 8 and is now 9.*--overwrite"
    ):
        write(tmp_path, fake_data_set.plan(examples_per_shard=9))
    assert contents(tmp_path) == before


def test_overwrite_starts_afresh(uninterrupted, tmp_path):
    write(tmp_path, fake_data_set.plan(examples_per_shard=3))
    write(tmp_path, overwrite=True)
    assert contents(tmp_path) == contents(uninterrupted)


def test_records_of_unknown_origin_are_not_mixed_with_new_ones(tmp_path):
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "train_000.tfrecord").write_bytes(b"")
    with pytest.raises(ConversionError, match="without a manifest"):
        write(tmp_path)


def test_too_many_faults_fail_at_the_end_and_again(tmp_path):
    for _ in range(2):
        with pytest.raises(ConversionError, match=r"1 of 105 .*--max_skipped=0\.001.*item 30"):
            write(tmp_path, max_skipped=0.001)
    assert write(tmp_path, max_skipped=0.5).was_complete


def test_no_example_at_all_is_an_error(tmp_path):
    empty = fake_data_set.plan(read=lambda item: Converted())
    with pytest.raises(ConversionError, match="no Example"):
        write(tmp_path, empty)
    nothing = fake_data_set.plan(open_items=lambda: contextlib.nullcontext(Items([])))
    with pytest.raises(ConversionError, match="no Example"):
        write(tmp_path / "other", nothing)


def test_a_full_disk_is_a_clear_error_and_leaves_whole_shards_only(uninterrupted, tmp_path):
    size = (uninterrupted / "fake" / "train_000.tfrecord").stat().st_size
    write(tmp_path, fake_data_set.plan(num_items=1), max_skipped=1.0)
    shutil.rmtree(tmp_path / "fake")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # A file that may not grow past this stands for a disk that is full.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - 100, hard))
        with pytest.raises(OSError, match=r"train_000\.tfrecord cannot be written.*disk full"):
            write(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.name for p in (tmp_path / "fake").iterdir()] == ["train.manifest.json"]
    write(tmp_path)
    assert contents(tmp_path) == contents(uninterrupted)


def test_a_second_run_into_the_same_folder_is_refused(tmp_path):
    def nested():
        with pytest.raises(
            InUseError, match="is in use by .* Wait until that conversion has finished"
        ):
            write(tmp_path)
        return contextlib.nullcontext(Items(range(60)))

    write(tmp_path, fake_data_set.plan(open_items=nested))


def test_an_error_in_the_reader_leaves_no_partial_file(tmp_path):
    def fails(item):
        if item == 20:
            raise RuntimeError("bug")
        return fake_data_set.read(0, item)

    with pytest.raises(RuntimeError, match="bug"):
        write(tmp_path, fake_data_set.plan(read=fails))
    assert not list((tmp_path / "fake").glob(".*"))


def test_records_without_a_manifest_are_counted_once(uninterrupted, tmp_path):
    for path in (uninterrupted / "fake").glob("*.tfrecord"):
        shutil.copy(path, tmp_path)
    paths = sorted(tmp_path.glob("*.tfrecord"))
    expected = sum(len(records_in(path)) for path in paths)
    assert manifest.count_examples(paths) == expected
    remembered = tmp_path / manifest.COUNTS_FILE
    written = remembered.stat().st_mtime_ns
    assert manifest.count_examples(paths[:2]) == 16
    assert remembered.stat().st_mtime_ns == written


def test_records_with_a_manifest_are_not_opened_to_count_them(uninterrupted, monkeypatch):
    monkeypatch.setattr(manifest.framing, "count_records", None)
    paths = list((uninterrupted / "fake").glob("*.tfrecord"))
    assert manifest.count_examples(paths) == 104


def test_a_shard_without_manifest_that_is_cut_is_named(uninterrupted, tmp_path):
    path = tmp_path / "train_000.tfrecord"
    path.write_bytes((uninterrupted / "fake" / "train_000.tfrecord").read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"train_000\.tfrecord: record 7 is cut off"):
        manifest.count_examples([path])
