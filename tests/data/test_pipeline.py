"""Batches: a function of seed and step, mixed 1:1, covering every record once a round."""

import dataclasses
import inspect

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2.data import parsing
from hmr_tf2.hmr.data import TrainingData, draw_augmentation


def take(config, count, start=0):
    batches = TrainingData(config).batches(start).take(count)
    return list(batches.as_numpy_iterator())


def grey(batch):
    """Grey value of each picture's middle, which names the record."""
    return np.round((batch["image"][:, 112, 112, 0] + 1) * 127.5).astype(int)


def test_batches_have_the_shapes_of_train_step(config):
    (batch,) = take(config, 1)
    assert {name: value.shape for name, value in batch.items()} == {
        "image": (4, 224, 224, 3),
        "label": (4, 19, 3),
        "label3d": (4, 268),
        "has3d": (4, 2),
        "mocap_pose": (8, 72),
        "mocap_shape": (8, 10),
    }


def test_examples_with_and_without_3d_labels_come_in_turn(config):
    for batch in take(config, 3):
        assert batch["has3d"].tolist() == [[True, False], [False, False]] * 2


def test_every_record_comes_once_a_round(config):
    batches = take(config, 15)
    greys = np.concatenate([grey(batch) for batch in batches])
    with_3d, without = greys[0::2], greys[1::2]
    for stream, count in ((with_3d, 3), (without, 5)):
        rounds = stream.reshape(-1, count)
        assert all(len(set(r)) == count for r in rounds)
        assert len({tuple(r) for r in rounds}) > 1, "each round has an order of its own"
    mocap = np.concatenate([batch["mocap_shape"][:, 0] for batch in batches])[: 7 * 17]
    assert all(sorted(r) == list(range(7)) for r in mocap.reshape(-1, 7))


def assert_equal_batches(one, other):
    for a, b in zip(one, other, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_same_seed_same_batches(config):
    assert_equal_batches(take(config, 4), take(config, 4))


def test_another_seed_gives_other_batches(config):
    other = dataclasses.replace(config, seed=2)
    assert any(
        (grey(a) != grey(b)).any() or (a["label"] != b["label"]).any()
        for a, b in zip(take(config, 4), take(other, 4), strict=True)
    )


VARIANTS = {
    "3-D and 2-D": {},
    "weights": dict(
        datasets=("lsp", "mpi_inf_3dhp", "coco"),
        dataset_weights=("lsp:1", "mpi_inf_3dhp:3", "coco:0.5"),
    ),
    "2-D only, without mocap": dict(
        datasets=("lsp", "coco"), use_3d_label=False, encoder_only=True
    ),
    "other batch size": dict(batch_size=5, num_stage=3),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_batches_do_not_depend_on_the_number_of_threads(config, variant):
    batches = TrainingData(dataclasses.replace(config, **VARIANTS[variant])).batches().take(8)

    def with_threads(number):
        options = tf.data.Options()
        options.threading.private_threadpool_size = number
        return list(batches.with_options(options).as_numpy_iterator())

    assert_equal_batches(with_threads(1), with_threads(4))


@pytest.mark.parametrize("variant", VARIANTS)
def test_stopped_at_any_step_the_next_batches_are_those_that_would_have_come(config, variant):
    """The position in all streams is the number of steps, in the middle of an epoch too."""
    config = dataclasses.replace(config, **VARIANTS[variant])
    whole = take(config, 5)
    for step in (1, 4) if VARIANTS[variant] else (1, 2, 3, 4):
        assert_equal_batches(whole[step:], take(config, 5 - step, step))


def test_weights_are_the_shares_of_the_data_sets(config):
    config = dataclasses.replace(
        config,
        datasets=("lsp", "mpi_inf_3dhp", "coco"),
        encoder_only=True,
        dataset_weights=("lsp:1", "mpi_inf_3dhp:2", "coco:5"),
    )
    for batch in take(dataclasses.replace(config, batch_size=8), 3):
        found = grey(batch)
        assert np.sum(found < 90) == 1
        assert np.sum((found > 90) & (found < 120)) == 5
        assert np.sum(found > 120) == np.sum(batch["has3d"][:, 0]) == 2


def test_without_weights_sets_of_a_kind_come_by_size(config):
    config = dataclasses.replace(config, datasets=("lsp", "mpi_inf_3dhp", "coco"), batch_size=14)
    (batch,) = take(config, 1)
    assert sorted(grey(batch)[1::2]) == [0, 20, 40, 60, 80, 100, 110]


def test_a_weight_of_0_leaves_a_set_out(config):
    config = dataclasses.replace(
        config,
        datasets=("lsp", "mpi_inf_3dhp", "h36m"),
        dataset_weights=("lsp:1", "mpi_inf_3dhp:1", "h36m:0"),
    )
    assert TrainingData(config).num_examples == 8


@pytest.mark.parametrize("num_shards", [2, 4])
def test_shards_laid_end_to_end_are_the_batch(config, num_shards):
    data = TrainingData(config)
    shards = [
        list(data.batches(1, shard, num_shards).take(3).as_numpy_iterator())
        for shard in range(num_shards)
    ]
    joined = [
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        for parts in zip(*shards, strict=True)
    ]
    assert_equal_batches(joined, take(config, 3, 1))


def test_a_batch_that_cannot_be_split_evenly_is_refused(config):
    with pytest.raises(ValueError, match="--batch_size.* multiple of their number, 3; got 4"):
        TrainingData(config).batches(num_shards=3)


def test_augmentation_stays_within_its_limits(config):
    config = dataclasses.replace(config, batch_size=300)
    scales, shifts, mirrored = (
        draws.numpy() for draws in draw_augmentation(config, tf.constant(5, tf.int64))
    )
    assert 0.8 <= scales.min() < 0.82 and 1.2 < scales.max() < 1.23
    assert shifts.min() == -20 and shifts.max() == 19
    assert 0.4 < mirrored.mean() < 0.6


def test_without_2d_sets_only_3d_examples_flow(config):
    (batch,) = take(dataclasses.replace(config, datasets=("mpi_inf_3dhp",)), 1)
    assert batch["has3d"][:, 0].all()


def test_without_3d_labels_all_sets_mix(config):
    batches = take(dataclasses.replace(config, use_3d_label=False), 2)
    assert "label3d" not in batches[0]
    assert len(set(np.concatenate([grey(b) for b in batches]))) == 8


def test_encoder_only_needs_no_mocap(config):
    (batch,) = take(dataclasses.replace(config, encoder_only=True, mocap_datasets=()), 1)
    assert set(batch) == {"image", "label", "label3d", "has3d"}


def test_poses_of_amass_take_the_place_of_mosh(own_data_dir, config):
    (own_data_dir / "mocap_amass").mkdir()
    (own_data_dir / "mocap_neutrMosh" / "neutrSMPL_CMU_000.tfrecord").rename(
        own_data_dir / "mocap_amass" / "amass_000.tfrecord"
    )
    changes = dict(data_dir=str(own_data_dir), mocap_datasets=("amass",))
    (batch,) = take(dataclasses.replace(config, **changes), 1)
    (expected,) = take(config, 1)
    np.testing.assert_array_equal(batch["mocap_shape"], expected["mocap_shape"])


def test_epoch_length_comes_from_the_records(config):
    assert TrainingData(config).steps_per_epoch == 8 // 4
    assert TrainingData(config).num_examples == 8


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(datasets=("lsp",)), "--use_3d_label needs a data set with 3-D labels"),
        (
            dict(datasets=("lsp", "h36m", "lsp_ext"), mocap_datasets=("CMU", "jointLim")),
            "No records of 'h36m', 'lsp_ext', 'jointLim':\n.*human36m_wjoints/train.*\n"
            ".*lsp_ext/train_.*\n.*neutrSMPL_jointLim_.*\n"
            "Present in .*: lsp, coco, mpi_inf_3dhp, CMU",
        ),
        (dict(datasets=("lsp", "lsp")), "names a data set twice"),
        (dict(datasets=()), "--datasets is empty"),
        (
            dict(dataset_weights=("lsp:1", "mpi_inf_3dhp:0")),
            "--use_3d_label needs a data set with 3-D labels.*got lsp",
        ),
        (dict(dataset_weights=("lsp:1",)), "gives no weight to mpi_inf_3dhp"),
        (dict(mocap_datasets=("jointLim",)), "No records of 'jointLim'"),
        (dict(data_dir="/nowhere"), "There is no folder /nowhere, which --data_dir names"),
        (dict(mocap_datasets=()), "The discriminator needs motion capture"),
        (dict(data_dir=None), "--data_dir is needed"),
    ],
)
def test_missing_data_is_named_at_once(config, change, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        TrainingData(dataclasses.replace(config, **change))


def test_AutoGraph_does_not_rewrite_what_makes_a_batch(config, monkeypatch):
    callers = []
    original = parsing.preprocess_example

    def spy(*args, **kwargs):
        callers.append([frame.filename for frame in inspect.stack(context=0)])
        return original(*args, **kwargs)

    monkeypatch.setattr(parsing, "preprocess_example", spy)
    take(config, 1)
    assert callers
    for files in callers:
        assert not any("__autograph_generated" in file for file in files)
