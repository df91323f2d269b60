"""Records are found where TensorFlow reads them; damage is named or passed over."""

import os

import numpy as np
import pytest
import tensorflow as tf
from small_data_sets import write_records

from hmr_tf2.data import record_index

CONTENTS = [bytes([i]) * (50 + 30 * i) for i in range(6)]
STARTS = np.cumsum([0] + [len(c) + 16 for c in CONTENTS]).tolist()


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "shard.tfrecord"
    write_records(path, CONTENTS)
    return path


def read_all(index):
    return [index.read(i) for i in range(len(index))]


def test_index_finds_what_tensorflow_reads(data_dir):
    paths = sorted(str(path) for path in (data_dir / "lsp").glob("*.tfrecord"))
    index = record_index.index_files(paths)
    assert read_all(index) == list(tf.data.TFRecordDataset(paths).as_numpy_iterator())


def test_an_empty_file_has_no_records(tmp_path, shard):
    empty = tmp_path / "empty.tfrecord"
    empty.touch()
    index = record_index.index_files([str(empty), str(shard)])
    assert index.counts() == {str(empty): 0, str(shard): 6}
    assert read_all(index) == CONTENTS


@pytest.mark.parametrize("size", [1, 11, 40, -1])
def test_a_cut_off_shard_is_named(shard, size):
    shard.write_bytes(shard.read_bytes()[:size])
    with pytest.raises(ValueError, match="shard.tfrecord: .*damaged or not a TFRecord file"):
        record_index.index_files([str(shard)])


def test_a_file_of_something_else_is_named(tmp_path):
    path = tmp_path / "noise.tfrecord"
    path.write_bytes(bytes(range(256)) * 4)
    with pytest.raises(ValueError, match="noise.tfrecord: .*not a TFRecord file: from byte 0 "):
        record_index.index_files([str(path)])


@pytest.mark.parametrize("byte", range(record_index.HEADER_BYTES))
def test_a_damaged_length_is_named_and_the_records_around_it_are_found(shard, byte):
    content = bytearray(shard.read_bytes())
    content[STARTS[2] + byte] ^= 0x10
    shard.write_bytes(content)
    between = f"from byte {STARTS[2]} to {STARTS[3]}"
    with pytest.raises(ValueError, match=f"shard.tfrecord: .*{between}"):
        record_index.index_files([str(shard)])
    index = record_index.index_files([str(shard)], skip_damage=True)
    assert read_all(index) == CONTENTS[:2] + CONTENTS[3:]
    assert index.damage == (record_index.Damage(str(shard), STARTS[2], STARTS[3]),)


def test_of_a_cut_off_shard_the_whole_records_can_be_used(shard):
    shard.write_bytes(shard.read_bytes()[:-1])
    index = record_index.index_files([str(shard)], skip_damage=True)
    assert read_all(index) == CONTENTS[:-1]
    assert [(d.start, d.end) for d in index.damage] == [(STARTS[5], STARTS[6] - 1)]


@pytest.mark.parametrize("byte", [12, 40, 60, 62, 65])
def test_a_damaged_record_is_told_when_it_is_read(shard, byte):
    content = bytearray(shard.read_bytes())
    content[byte] ^= 1
    shard.write_bytes(content)
    index = record_index.index_files([str(shard)])
    with pytest.raises(ValueError, match="its checksum differs"):
        index.read(0)
    assert index.read(1) == CONTENTS[1]
    assert index.where(1) == f"{shard}, record at byte {STARTS[1]}"


def test_a_file_that_shrank_is_told(shard):
    index = record_index.index_files([str(shard)])
    shard.write_bytes(shard.read_bytes()[:-50])
    with pytest.raises(ValueError, match="shorter than it was"):
        index.read(5)


def scans(monkeypatch, path):
    """How many files are scanned to index `path`."""
    found = []
    scan = record_index._scan
    monkeypatch.setattr(record_index, "_scan", lambda path: found.append(path) or scan(path))
    index = record_index.index_files([str(path)])
    monkeypatch.undo()
    return len(found), read_all(index)


def test_a_second_time_the_index_is_remembered(shard, monkeypatch):
    assert scans(monkeypatch, shard) == (1, CONTENTS)
    assert scans(monkeypatch, shard) == (0, CONTENTS)


def test_what_is_remembered_of_a_changed_file_is_not_used(shard, monkeypatch):
    record_index.index_files([str(shard)])
    write_records(shard, CONTENTS[::-1])
    assert scans(monkeypatch, shard) == (1, CONTENTS[::-1])
    os.utime(shard, ns=(0, 0))
    assert scans(monkeypatch, shard)[0] == 1


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"noise", None])
def test_a_damaged_memory_is_no_obstacle(shard, monkeypatch, content):
    record_index.index_files([str(shard)])
    memory = shard.parent / record_index.CACHE_FILE
    memory.write_bytes(memory.read_bytes()[:200] if content is None else content)
    assert scans(monkeypatch, shard) == (1, CONTENTS)


def test_a_folder_that_cannot_be_written_is_scanned_each_time(shard, monkeypatch):
    (shard.parent / record_index.CACHE_FILE).mkdir()  # root may write read-only folders
    assert scans(monkeypatch, shard) == (1, CONTENTS)
    assert scans(monkeypatch, shard) == (1, CONTENTS)
    assert len(list(shard.parent.iterdir())) == 2


def test_to_index_a_million_records_again_none_is_touched(tmp_path, monkeypatch):
    path = tmp_path / "big.tfrecord"
    lengths = np.full(1_000_000, 40_000)
    with open(path, "wb") as file:
        file.truncate(int(np.sum(lengths + record_index.FRAME_BYTES)))  # sparse
    record_index._remember(str(tmp_path), {path.name: (record_index._stamp(path), lengths)})
    monkeypatch.setattr(record_index, "_scan", None)
    index = record_index.index_files([str(path)])
    assert len(index) == 1_000_000
    assert index.offset[-1] == 999_999 * 40_016 + 12
