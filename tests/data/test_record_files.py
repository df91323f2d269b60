"""Shards are those that the manifests list; empty sets and folders are named."""

import dataclasses
import logging

import pytest
from small_data_sets import write_records

from hmr_tf2.data import record_files
from hmr_tf2.hmr.data import TrainingData
from tfrecords_tools import manifest


def write_manifest(folder, complete=True, **examples):
    """One of LSP that lists shards with so many examples."""
    shards = [
        manifest.Shard(f"{name}.tfrecord", number, 0, "", (0, 0), {}, [])
        for name, number in examples.items()
    ]
    found = manifest.Manifest("lsp", "image", {}, shards, complete)
    found.save(manifest.path_for(folder, "lsp/train_%03d.tfrecord"))


@pytest.fixture
def own_config(own_data_dir, config):
    return dataclasses.replace(config, data_dir=str(own_data_dir))


def test_shards_as_their_manifest_says_are_used(own_data_dir, own_config):
    write_manifest(own_data_dir, train_000=2, train_001=3)
    assert TrainingData(own_config).num_examples == 8


def test_a_shard_that_the_manifest_lists_must_be_there(own_data_dir, own_config):
    write_manifest(own_data_dir, train_000=2, train_001=3, train_002=500)
    with pytest.raises(ValueError, match="lsp/train_002.tfrecord is missing: the manifest"):
        TrainingData(own_config)


def test_a_shard_with_fewer_records_than_its_manifest_says_is_named(own_data_dir, own_config):
    write_manifest(own_data_dir, train_000=2, train_001=4)
    with pytest.raises(ValueError, match="train_001.tfrecord holds 3 .* manifest says 4"):
        TrainingData(own_config)


def test_of_damaged_shards_only_the_missing_are_told(own_data_dir):
    write_manifest(own_data_dir, train_000=4, train_001=3)
    counts = {str(own_data_dir / "lsp" / f"train_00{i}.tfrecord"): 2 + i for i in range(2)}
    record_files.check_counts(counts, damaged={next(iter(counts))})
    with pytest.raises(ValueError, match="train_001.tfrecord is missing"):
        counts.popitem()
        record_files.check_counts(counts, damaged=set(counts))


def test_a_conversion_that_has_not_ended_is_told(own_data_dir, caplog):
    write_manifest(own_data_dir, complete=False, train_000=2)
    path = str(own_data_dir / "lsp/train_000.tfrecord")
    with caplog.at_level(logging.WARNING, "absl"):
        record_files.check_counts({path: 2})
    assert "the conversion is not complete; training uses the 2 records" in caplog.text


def test_a_manifest_of_other_shards_says_nothing(own_data_dir):
    write_manifest(own_data_dir, test_000=7)
    record_files.check_counts({str(own_data_dir / "lsp/train_000.tfrecord"): 2})


@pytest.mark.parametrize("emptied", ["lsp/train_*", "mocap_neutrMosh/*"])
def test_an_empty_folder_is_a_missing_data_set(own_data_dir, own_config, emptied):
    for path in own_data_dir.glob(emptied):
        path.unlink()
    name = "lsp" if "lsp" in emptied else "CMU"
    with pytest.raises(FileNotFoundError, match=f"No records of '{name}':\n.*nothing matches"):
        TrainingData(own_config)


@pytest.mark.parametrize("skip_corrupt", [False, True])
def test_shards_without_records_are_told(own_data_dir, own_config, skip_corrupt):
    write_records(own_data_dir / "mocap_neutrMosh/neutrSMPL_CMU_000.tfrecord", [])
    with pytest.raises(ValueError, match="The records of CMU in .* are empty"):
        TrainingData(dataclasses.replace(own_config, skip_corrupt=skip_corrupt))
