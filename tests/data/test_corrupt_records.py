"""A corrupt record is named by file and byte; with --skip_corrupt another stands in for it."""

import dataclasses
import logging

import numpy as np
import pytest
import tensorflow as tf
from small_data_sets import image_record, write_records

from hmr_tf2.data import parsing, record_index, record_reader
from hmr_tf2.data.record_reader import RecordReader
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.hmr.data import TrainingData
from tfrecords_tools import records

PICTURE = tf.io.encode_jpeg(
    np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)
).numpy()


def without(name):
    example = tf.train.Example.FromString(image_record(0))
    del example.features.feature[name]
    return example.SerializeToString()


FAULTS = {
    "it is not a tf.train.Example": b"\x0a\xff noise",
    "it lacks image/center": without("image/center"),
    "it lacks image/encoded": without("image/encoded"),
    "image/center holds 1 values of int64, expected 2": image_record(0, center=[3]),
    "its picture cannot be decoded": image_record(0, encoded=PICTURE[: len(PICTURE) // 2]),
    "its picture cannot be decoded ": image_record(0, encoded=PICTURE[:-2]),
    "its picture cannot be decoded  ": image_record(0, encoded=b"no JPEG"),
    "its picture cannot be decoded   ": image_record(0, encoded=b""),
    "its checksum differs": None,
}


def damage(path, number, flipped=20):
    """Flips a bit in the data of a record."""
    index = record_index.index_files([str(path)])
    content = bytearray(path.read_bytes())
    content[index.offset[number] + flipped] ^= 4
    path.write_bytes(content)
    return int(index.offset[number]) - record_index.HEADER_BYTES


@pytest.fixture
def lsp(tmp_path):
    """lsp(faults, count) writes LSP records, some of them replaced; returns the settings."""

    def write(faults, count=12, **changes):
        path = tmp_path / "lsp/train_000.tfrecord"
        write_records(path, [faults.get(i) or image_record(20 * i) for i in range(count)])
        for number in [i for i, fault in faults.items() if fault is None]:
            damage(path, number)
        return TrainConfig(
            data_dir=str(tmp_path),
            datasets=("lsp",),
            use_3d_label=False,
            encoder_only=True,
            batch_size=4,
            **changes,
        )

    return write


def greys(batches):
    pictures = np.concatenate([batch["image"] for batch in batches])
    return np.round((pictures[:, 112, 112, 0] + 1) * 127.5 / 20).astype(int)


@pytest.mark.parametrize("fault", FAULTS)
def test_training_stops_and_names_file_and_byte(lsp, fault):
    config = lsp({7: FAULTS[fault]})
    data = TrainingData(config)
    with pytest.raises(tf.errors.OpError) as raised:
        for _ in data.batches().take(3):
            pass
    reason = data.explain(raised.value)
    start = data.images.reader.index.offset[7] - record_index.HEADER_BYTES
    assert isinstance(reason, ValueError)
    assert str(reason).startswith(
        f"{config.data_dir}/lsp/train_000.tfrecord, record at byte {start} is corrupt: "
        f"{fault.strip()}. "
    )
    assert "--skip_corrupt" in str(reason)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_next_whole_record_stands_in_for_a_corrupt_one(lsp, fault, caplog):
    config = lsp({7: FAULTS[fault], 11: FAULTS[fault]}, skip_corrupt=True)
    data = TrainingData(config)
    with caplog.at_level(logging.WARNING, "absl"):
        found = greys(data.batches().take(6))
    assert sorted(found[:12]) == [0, 0, 1, 2, 3, 4, 5, 6, 8, 8, 9, 10]
    assert data.num_corrupt == 2
    skipped = [message for message in caplog.messages if message.startswith("Skipped")]
    assert len(skipped) == 2, "each is logged once, not at every round"
    assert all(fault.strip() in message for message in skipped)


def test_what_stands_in_depends_on_nothing_but_the_files(lsp):
    """Not on what was read before, nor on the number of threads."""
    config = lsp({3: None, 4: None, 9: FAULTS["it lacks image/center"]}, skip_corrupt=True)
    whole = greys(TrainingData(config).batches().take(6))
    for start in (1, 2, 4):
        later = greys(TrainingData(config).batches(start).take(6 - start))
        np.testing.assert_array_equal(later, whole[4 * start :])
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    alone = TrainingData(config).batches().with_options(options).take(6)
    np.testing.assert_array_equal(greys(alone), whole)


def test_a_stand_in_is_of_the_same_source(own_data_dir, config):
    damage(own_data_dir / "lsp/train_001.tfrecord", 2)  # the last without 3-D labels
    config = dataclasses.replace(config, data_dir=str(own_data_dir), skip_corrupt=True)
    batches = list(TrainingData(config).batches().take(5).as_numpy_iterator())
    assert all(batch["has3d"][1::2].sum() == 0 for batch in batches)
    without_3d = np.concatenate([batch["image"][1::2, 112, 112, 0] for batch in batches])
    assert sorted(np.round((without_3d[:5] + 1) * 127.5)) == [0, 0, 20, 40, 60]


def test_a_damaged_length_is_passed_over_too(lsp):
    config = lsp({}, skip_corrupt=True)
    path = f"{config.data_dir}/lsp/train_000.tfrecord"
    start = record_index.index_files([path]).offset[5] - record_index.HEADER_BYTES
    with open(path, "r+b") as file:
        file.seek(int(start))
        file.write(b"\xff")
    data = TrainingData(config)
    assert data.num_examples == 11 and data.num_corrupt == 1
    assert set(greys(data.batches().take(3))[:11]) == set(range(12)) - {5}
    with pytest.raises(ValueError, match=f"not a TFRecord file: from byte {start}"):
        TrainingData(dataclasses.replace(config, skip_corrupt=False))


def test_more_than_a_few_corrupt_records_stop_training_all_the_same(lsp):
    data = TrainingData(lsp(dict.fromkeys(range(11)), 30, skip_corrupt=True))
    with pytest.raises(tf.errors.OpError) as raised:
        for _ in data.batches().take(8):
            pass
    assert "11 of 30 records are corrupt: too many" in str(data.explain(raised.value))


def test_only_corrupt_records_stop_training(lsp):
    data = TrainingData(lsp(dict.fromkeys(range(3)), 3, skip_corrupt=True))
    with pytest.raises(tf.errors.OpError) as raised:
        next(iter(data.batches()))
    assert "all others of its kind are corrupt" in str(data.explain(raised.value))


@pytest.mark.parametrize("skip_corrupt", [False, True])
def test_a_corrupt_mocap_row_is_named_or_passed_over(own_data_dir, config, skip_corrupt):
    path = own_data_dir / "mocap_neutrMosh/neutrSMPL_CMU_000.tfrecord"
    start = damage(path, 3)
    data = TrainingData(
        dataclasses.replace(config, data_dir=str(own_data_dir), skip_corrupt=skip_corrupt)
    )
    if skip_corrupt:
        batches = list(data.batches().take(2).as_numpy_iterator())
        rows = np.concatenate([batch["mocap_shape"][:, 0] for batch in batches])
        assert sorted(rows[:7]) == [0, 1, 2, 4, 4, 5, 6]
        return
    with pytest.raises(tf.errors.OpError) as raised:
        list(data.batches().take(2))
    assert f"{path}, record at byte {start} is corrupt: its checksum" in str(
        data.explain(raised.value)
    )


@pytest.mark.parametrize("skip_corrupt", [False, True])
def test_a_file_that_vanishes_while_training_is_named(lsp, skip_corrupt):
    config = lsp({}, skip_corrupt=skip_corrupt)
    data = TrainingData(config)
    path = f"{config.data_dir}/lsp/train_000.tfrecord"
    tf.io.gfile.remove(path)
    with pytest.raises(tf.errors.OpError) as raised:
        next(iter(data.batches()))
    reason = data.explain(raised.value)
    assert isinstance(reason, OSError)
    assert str(reason).startswith(f"{path} can no longer be read: No such file or directory.")


def test_an_error_of_something_else_is_not_explained(lsp):
    data = TrainingData(lsp({}))
    next(iter(data.batches()))
    for error in (
        tf.errors.InvalidArgumentError(None, None, "of the model"),
        tf.errors.ResourceExhaustedError(None, None, "memory"),
        ValueError("x"),
    ):
        assert data.explain(error) is None


def test_of_a_large_data_set_a_hundredth_may_be_corrupt(monkeypatch):
    index = record_index.RecordIndex(
        ("x",), np.zeros(5000, np.int32), np.arange(5000), np.ones(5000, np.int64)
    )
    reader = RecordReader(index, [5000], [records.image_spec()], skip_corrupt=True)
    for number in range(50):
        reader._pass_over(number, "torn")
    with pytest.raises(ValueError, match="51 of 5000 records are corrupt"):
        reader._pass_over(50, "torn")
    assert record_reader.MAX_CORRUPT_SHARE == 0.01


def test_a_whole_record_has_no_fault():
    assert parsing.fault_of(image_record(5), records.image_spec(), decode=True) is None
    mocap = records.mocap_example(np.zeros(72), np.zeros(10))
    assert parsing.fault_of(mocap, records.mocap_spec(), decode=True) is None
    assert parsing.fault_of(image_record(5), records.image_3d_spec(), decode=False) == (
        "it lacks mosh/pose"
    )
