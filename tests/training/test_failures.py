"""A run that has gone wrong stops, and the batch that did it is kept."""

import dataclasses
import json
import math
import pathlib
import re
import types

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2.hmr.data import TrainingData
from hmr_tf2.training import failures


def test_a_run_that_meets_nan_stops_and_keeps_the_batch(run_small, small_config, tmp_path):
    with pytest.raises(FloatingPointError) as caught:
        run_small(dataclasses.replace(small_config, e_lr=1e30), tmp_path)
    message = str(caught.value)
    assert "is nan in step 2." in message or "is inf in step 2." in message
    assert "checkpoint: none yet" in message and "--e_lr" in message
    (path,) = tmp_path.glob("failed_batch_*")
    assert path.name == "failed_batch_2.npz" and str(path) in message
    assert f"python -m hmr_tf2.replay --load_path={tmp_path} {path}\n" in message
    kept = np.load(path)
    data = TrainingData(small_config)
    (batch,) = data.batches(1).take(1)
    assert set(kept) == {*batch, "step", "records", "losses"}
    for name, value in batch.items():
        np.testing.assert_array_equal(kept[name], value, err_msg=name)
    assert kept["step"] == 2
    # In turn with 3-D labels and without.
    for record, name in zip(kept["records"], ("mpi_inf_3dhp", "lsp"), strict=True):
        assert re.fullmatch(rf".*/{name}/.*\.tfrecord, record at byte \d+", record)
    assert not all(map(math.isfinite, json.loads(str(kept["losses"])).values()))


class Run:
    """Feeds losses to a StopOnFailure, `per_call` steps at a time."""

    def __init__(self, folder, per_call=1, read_batch=None, **kwargs):
        self.per_call = per_call
        self.iterations = tf.Variable(0, dtype=tf.int64)
        self.callback = failures.StopOnFailure(
            folder,
            read_batch or (lambda step: {"image": np.full(2, step)}),
            lambda step: [f"a, record at byte {step}"] * 2,
            **kwargs,
        )
        self.callback.set_model(
            types.SimpleNamespace(optimizer=types.SimpleNamespace(iterations=self.iterations))
        )

    def feed(self, values, name="e_loss"):
        for value in values:
            self.callback.on_train_batch_begin(0)
            self.iterations.assign_add(self.per_call)
            self.callback.on_train_batch_end(0, {"e_loss": 1.0, name: value})


@pytest.mark.parametrize("name", ["d_loss", "kp_loss_stage0"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_any_loss_that_is_not_finite_stops_the_run(tmp_path, name, value):
    run = Run(tmp_path)
    run.feed([5.0, 4.0], name)
    with pytest.raises(FloatingPointError, match=f"{name} is {value} in step 3."):
        run.feed([value], name)
    assert np.load(tmp_path / "failed_batch_3.npz")["image"].tolist() == [2, 2]


def test_the_newest_checkpoint_is_named(tmp_path):
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(x=tf.Variable(1.0)), str(tmp_path), max_to_keep=2
    )
    manager.save(checkpoint_number=7)
    with pytest.raises(FloatingPointError, match="Last good checkpoint: .*ckpt-7"):
        Run(tmp_path).feed([math.nan])


def test_an_explosion_stops_the_run_and_keeps_the_batch_it_began_with(tmp_path):
    run = Run(tmp_path)
    run.feed([3.0] * 200 + [301.0] * 9)
    with pytest.raises(
        FloatingPointError, match="above 100 times its usual 3; it began in step 201"
    ) as caught:
        run.feed([500.0])
    assert "hmr_tf2.replay" not in str(caught.value), "every operation was finite"
    assert [path.name for path in tmp_path.iterdir()] == ["failed_batch_201.npz"]


def test_the_state_is_in_doubt_while_the_loss_is_far_above_its_median(tmp_path):
    run = Run(tmp_path)
    run.feed([3.0] * 200)
    assert not run.callback.in_doubt
    run.feed([400.0] * 3)
    assert run.callback.in_doubt
    run.feed([3.0])
    assert not run.callback.in_doubt


@pytest.mark.parametrize(
    "values",
    [
        [3.0] * 200 + ([1e6] * 9 + [3.0]) * 20,  # outliers, never ten in a row
        [1.0] * 20 + [1e6] * 300,  # a rise before there is a usual value
        np.geomspace(1e6, 1e-3, 3000),  # falls by nine orders of magnitude
        np.geomspace(1.0, 1e3, 3000),  # rises slowly
        100 * np.exp(np.random.default_rng(0).normal(size=2000)),  # the noise of tiny batches
    ],
    ids=["outliers", "start", "fall", "drift", "noise"],
)
def test_what_a_sound_run_may_do_stops_nothing(tmp_path, values):
    Run(tmp_path).feed(values)
    assert not list(tmp_path.iterdir())


def test_without_a_factor_only_nan_stops(tmp_path):
    run = Run(tmp_path, factor=0)
    run.feed([3.0] * 200 + [1e9] * 50)
    with pytest.raises(FloatingPointError, match="nan in step 251"):
        run.feed([math.nan])


def test_of_several_steps_an_execution_all_batches_are_kept(tmp_path):
    run = Run(tmp_path, per_call=3)
    run.feed([2.0, 2.0])
    # To replay the last one, the others are run on the way.
    command = "replay --load_path=.* .*failed_batch_9.npz\n"
    with pytest.raises(FloatingPointError, match=f"(?s)nan in one of the steps 7 to 9.*{command}"):
        run.feed([math.nan])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"failed_batch_{step}.npz" for step in (7, 8, 9)}


def test_of_several_batches_the_one_that_is_not_finite_itself_is_kept(tmp_path):
    def read_batch(step):
        return {"image": np.full(2, np.nan if step == 4 else 0.0)}

    with pytest.raises(FloatingPointError, match="in one of the steps 1 to 6"):
        Run(tmp_path, per_call=6, read_batch=read_batch).feed([math.nan])
    assert [path.name for path in tmp_path.iterdir()] == ["failed_batch_5.npz"]


def test_a_batch_that_cannot_be_written_does_not_hide_the_loss(tmp_path):
    with pytest.raises(FloatingPointError, match="e_loss is nan(.|\n)*could not be written"):
        Run(pathlib.Path(tmp_path, "absent")).feed([math.nan])
