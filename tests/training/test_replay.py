"""A step that failed is run again, and what was not finite first in it is named."""

import dataclasses
import math
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2 import training
from hmr_tf2.checkpoints import run_folder
from hmr_tf2.config import RunConfig
from hmr_tf2.hmr.data import TrainingData
from hmr_tf2.hmr.system import HMR_SYSTEM
from hmr_tf2.replay import ReplaySettings, main
from hmr_tf2.trained_model import TrainedModel
from hmr_tf2.training import failures, numerics, replay, replay_report
from hmr_tf2.training.system import System
from tfrecords_tools.settings import setting

ROOT = pathlib.Path(__file__).parents[2]
HERE = "tests/training/test_replay.py"


# A model of three numbers, whose steps take no time.


def root(w, x):
    y = tf.sqrt(x + 1.0)  # finite, and so is its gradient
    return y + tf.sqrt(w * x)


def square(w, x):
    return tf.square(w) * x


class Toy(TrainedModel):
    """Its loss is `formula(w, x)`, summed."""

    def __init__(self, config, formula):
        super().__init__(config, name="toy")
        self.formula = formula
        self.w = self.add_weight("w", [3], initializer="ones")

    def parts(self):
        return {"e": [self.w]}

    def checkpoint_parts(self):
        part = tf.Module()
        part.w = self.w
        return {"net": part}

    def compute_losses(self, batch):
        loss = tf.reduce_sum(self.formula(self.w, batch["x"]))
        return {"e": loss}, {"e_loss": loss}


class ToyData:
    """The batch of step n is of n; that of step 5 has a zero."""

    num_examples, steps_per_epoch, num_corrupt = 3, 10, 0
    files = ()

    def __init__(self, config):
        if not config.data_dir:
            raise ValueError("There are no records.")

    def batches(self, start_step=0, shard_index=0, num_shards=1):
        def batch(t):
            x = tf.fill([3], tf.cast(t + 1, tf.float32))
            return {"x": tf.where(tf.equal([0, t, 0], 4), 0.0, x)}

        return tf.data.Dataset.range(start_step, 100).map(batch)

    def record_names(self, step):
        return [f"of step {step + 1}, record at byte {n}" for n in range(3)]

    def explain(self, error):
        return None


@dataclasses.dataclass(frozen=True)
class ToyConfig(RunConfig):
    e_lr: float = setting(0.001, "Learning rate.", "optimiser")


def toy(formula) -> System:
    return System(
        name="toy",
        config_class=ToyConfig,
        make_model=lambda config: Toy(config, formula),
        make_data=ToyData,
        make_validation=lambda config: None,
        draw=lambda model, batch: ([], {}),
        tags=lambda losses, config: {},
        shown=("e_loss",),
        best_by=(),
        input_files=lambda config: [],
    )


@pytest.fixture
def config(tmp_path):
    """Settings of a toy's run, which is saved each step."""
    return ToyConfig(
        data_dir="here", model_dir=str(tmp_path), batch_size=3, epoch=1, log_img_step=0
    )


def saved(config, system, step, w=None):
    """Writes the checkpoint and the flags that a run of `step` steps leaves."""
    model = training.run.compiled_model(config, system, 10)
    if w is not None:
        model.w.assign(w)
    model.optimizer.iterations.assign(step)
    state = run_folder.training_state(model)
    tf.train.CheckpointManager(state, config.model_dir, 3).save(checkpoint_number=step)
    training.run.write_flags(config, config.model_dir)


def failed(config, system, step, x=None, losses=None):
    """Writes the failed batch of `step`, with other numbers than the records have if given."""
    data = system.make_data(dataclasses.replace(config, data_dir="here"))
    batch = dict(next(iter(data.batches(step - 1).take(1))))
    if x is not None:
        batch["x"] = np.float32(x)
    records = data.record_names(step - 1)
    path = failures.write_batch(
        config.model_dir, step, batch, records, losses or {"e_loss": math.nan}
    )
    return failures.read_failed_batch(path)


def replayed(config, system, batch, **kwargs):
    """The replay of a run's batch, and its report."""
    settings = replay.run_settings(config.model_dir, system)
    found = replay.replay(settings, system, batch, config.model_dir, **kwargs)
    return found, replay_report.as_text(found)


def line_of(code):
    lines = (ROOT / HERE).read_text().splitlines()
    return 1 + next(n for n, line in enumerate(lines) if code in line)


def test_an_overflow_of_the_forward_pass_is_named_with_our_line(config):
    system = toy(square)
    saved(config, system, 1, [1e30, 1.0, -1e30])
    found, text = replayed(config, system, failed(config, system, 2))
    fault = found.outcome.fault
    assert (found.outcome.phase, fault.op, fault.dtype) == ("forward", "Square", "float32")
    assert fault.shape == (3,) and fault.counts == (0, 2, 0)
    assert f"{HERE}:{line_of('return tf.square(w)')}, in square" in text
    assert "return tf.square(w) * x" in text and "2 +Inf of 3" in text
    assert found.outcome.largest == ("w", pytest.approx(1e30)) and "1e+30, in w" in text
    assert "e_loss" in text and "Weights: " in text and "ckpt-1, of step 1" in text


def test_a_gradient_that_is_not_finite_is_told_as_backward_with_the_line_of_its_root(config):
    """The run itself fails one step later, in its losses: the weights are NaN by then."""
    system = toy(root)
    with pytest.raises(
        FloatingPointError, match="(?s)e_loss is nan in step 6.*replay --load_path"
    ):
        training.train(dataclasses.replace(config, checkpoint_steps=3), system)
    batch = failures.read_failed_batch(pathlib.Path(config.model_dir, "failed_batch_6.npz"))
    found, text = replayed(config, system, batch)
    assert (found.step, found.weights_step) == (5, 4)
    assert "On the way there step 5 was the first" in text
    assert "ckpt-3, of step 3, and step 4 run again from the records" in text
    fault = found.outcome.fault
    assert (found.outcome.phase, fault.op, fault.gradient_of) == ("backward", "SqrtGrad", "Sqrt")
    assert fault.counts == (0, 1, 0) and fault.name.startswith("gradients/")
    assert f"{HERE}:{line_of('return y + tf.sqrt')}" in replay_report.headline(found)
    assert math.isfinite(found.outcome.losses["e_loss"])
    (gradient,) = found.outcome.gradients
    assert (gradient.name, gradient.rows, gradient.counts) == ("w", (1,), (1, 0, 0))


def test_a_weight_that_is_not_finite_is_named_and_no_operation(config):
    system = toy(square)
    saved(config, system, 1, [1.0, math.nan, -math.inf])
    found, text = replayed(config, system, failed(config, system, 2))
    assert found.outcome.fault is None
    assert "The weights are not finite before step 2: w has 1 NaN, 1 -Inf of 3." in text


def test_an_update_that_overflows_is_told_where_all_before_it_is_finite(config):
    system = toy(lambda w, x: w * (x * [1.0, 1.0, 1e-3]))
    config = dataclasses.replace(config, e_lr=1e38)
    saved(config, system, 1, [1.0, 2.0, -3e38])
    found, text = replayed(config, system, failed(config, system, 2))
    assert not found.outcome.gradients and found.outcome.fault is None
    assert "A weight is not finite after the update of step 2" in text
    assert "w has 1 -Inf of 3" in text and "lower the learning rate" in text


def test_where_everything_is_finite_it_says_so_beside_the_losses_noted(config):
    system = toy(square)
    saved(config, system, 1)
    found, text = replayed(config, system, failed(config, system, 2))
    assert found.outcome.is_finite and "Everything is finite in step 2" in text
    line = next(line for line in text.splitlines() if line.startswith("  e_loss"))
    assert line.split() == ["e_loss", "6", "nan"]
    assert "In the run it was not" in text
    noted = failed(config, system, 2, losses={"e_loss": 6.0})
    assert "because a loss had exploded" in replayed(config, system, noted)[1]


def test_a_batch_that_is_not_finite_is_named_with_its_records(config):
    system = toy(square)
    saved(config, system, 1)
    found, text = replayed(config, system, failed(config, system, 2, [1.0, 2.0, math.inf]))
    assert "The batch of step 2 is not finite: x has 1 +Inf of 3, in row 2." in text
    assert "record of row 2: of step 2, record at byte 2" in text
    assert "The records make another batch of step 2" in text, "where x is finite"
    assert found.outcome.fault.op == "Mul"


def test_steps_run_again_lead_to_the_weights_the_run_had(config, monkeypatch):
    system = toy(square)
    training.train(dataclasses.replace(config, checkpoint_steps=1, steps_per_epoch=10), system)
    before = {}

    def keep(model, batch, path):
        before.update(step=int(model.optimizer.iterations), w=model.w.numpy())
        return original(model, batch, path)

    original = replay.outcome_of
    monkeypatch.setattr(replay, "outcome_of", keep)
    # The run kept those of steps 8, 9 and 10.
    batch = failed(config, system, 10)
    settings = replay.run_settings(config.model_dir, system)
    for path in ("ckpt-8", "ckpt-9"):
        found = replay.replay(settings, system, batch, os.path.join(config.model_dir, path))
        before[path] = before["w"]
        assert before["step"] == 9 and found.notes == () and found.weights_step == 9
    np.testing.assert_array_equal(before["ckpt-8"], before["ckpt-9"])
    assert not np.array_equal(before["w"], [1, 1, 1])


def test_without_records_it_says_whose_the_weights_are(config):
    system = toy(square)
    config = dataclasses.replace(config, data_dir=None)
    saved(config, system, 1)
    batch = failed(config, system, 4)
    found, text = replayed(config, system, batch)
    assert found.weights_step == 1
    assert "began with the weights of step 3; these are of step 1. To run the steps" in text
    assert "--data_dir: There are no records." in text
    assert "Without --nocatch_up" in replayed(config, system, batch, catch_up=False)[1]


def test_of_later_weights_it_says_so(config):
    system = toy(square)
    saved(config, system, 7)
    text = replayed(config, system, failed(config, system, 4))[1]
    assert "These weights are of step 7, after the step that failed" in text


@pytest.mark.parametrize("step_of_weights", [1, 3, 7])
@pytest.mark.parametrize("catch_up", [True, False])
def test_a_batch_that_is_not_the_runs_is_told_from_that_of_the_records(
    config, step_of_weights, catch_up
):
    system = toy(square)
    saved(config, system, step_of_weights)
    changed = failed(config, system, 4, [3.0, 3.0, 3.0])
    text = replayed(config, system, changed, catch_up=catch_up)[1]
    assert "The records make another batch of step 4 than the file holds" in text
    text = replayed(config, system, failed(config, system, 4), catch_up=catch_up)[1]
    assert "another batch" not in text


def test_records_that_cannot_be_read_keep_no_step_from_being_run_again(config, monkeypatch):
    system = toy(square)
    saved(config, system, 3)
    batch = failed(config, system, 4)

    def corrupt(data, step):
        raise ValueError("here, record at byte 4 is corrupt.\nMore about it.")

    monkeypatch.setattr(replay, "_batch", corrupt)
    found, text = replayed(config, system, batch)
    assert found.outcome.is_finite and found.step == 4
    assert "not be compared with the records: here, record at byte 4 is corrupt." in text


def test_the_checks_are_off_afterwards(config):
    system = toy(square)
    saved(config, system, 1, [1e30, 1.0, 1.0])
    replayed(config, system, failed(config, system, 2))
    assert not tf.config.functions_run_eagerly()
    assert math.isinf(tf.square(1e30))


def test_half_precision_and_functions_are_looked_into():
    @tf.function
    def compiled(x):
        return -tf.exp(x)

    fault = numerics.first_fault(lambda: compiled(tf.constant([1.0, 12.0], tf.float16)))[1]
    assert (fault.op, fault.dtype, fault.counts) == ("Exp", "float16", (0, 1, 0))
    assert fault.inputs == ("float16 [2]",) and fault.frames[-1].line == "return -tf.exp(x)"
    fault = numerics.first_fault(lambda: tf.math.log(tf.constant([0, -1], tf.bfloat16)))[1]
    assert (fault.op, fault.dtype, fault.counts) == ("Log", "bfloat16", (1, 0, 1))
    assert numerics.first_fault(lambda: 3) == (3, None)


# Files that are none, and runs that do not fit.


def arrays(**changed):
    found = {"x": np.zeros(3), "step": 2, "records": ["a"] * 3, "losses": '{"e_loss": 1}'}
    return {name: value for name, value in {**found, **changed}.items() if value is not None}


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is not the batch of a step that failed"),
        (b"PK\x03\x04 half of it", "is not the batch of a step that failed"),
        (np.zeros(3), "is not the batch of a step that failed"),
        (arrays(step=None), "is not the batch .*step"),
        (arrays(losses=None), "is not the batch .*losses"),
        (arrays(losses="{"), "is not the batch"),
        (arrays(losses="3"), "is not the batch"),
        (arrays(step=[1, 2]), "is not the batch"),
        (arrays(step=0), "the first step is number 1"),
        (arrays(x=None), "holds 0 arrays"),
        (arrays(x=np.array([print], dtype=object)), "is not the batch .*pickle"),
        (arrays(x=np.array(["a"])), "'x' holds <U1, not numbers"),
    ],
)
def test_a_file_that_is_no_failed_batch_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "failed_batch_2.npz"
    with open(path, "wb") as file:
        if isinstance(content, dict):
            np.savez(file, **content)
        elif isinstance(content, bytes):
            file.write(content)
        else:
            np.save(file, content)
    with pytest.raises(ValueError, match=message) as caught:
        failures.read_failed_batch(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_whatever_byte_of_it_is_damaged_the_file_is_read_or_refused(tmp_path, rng, save):
    path = tmp_path / "failed_batch_2.npz"
    save(path, **arrays(x=np.arange(30.0)))
    whole, refused = path.read_bytes(), 0
    for place in rng.choice(len(whole), 300, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            failures.read_failed_batch(path)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 50


def test_what_is_written_is_read(tmp_path):
    batch = {"x": np.arange(3.0), "n": np.arange(2)}
    path = failures.write_batch(tmp_path, 7, batch, ["a", "b"], {"e_loss": math.inf})
    found = failures.read_failed_batch(path)
    assert (found.step, found.records, found.losses) == (7, ("a", "b"), {"e_loss": math.inf})
    assert found.batch.keys() == batch.keys()


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="--load_path=.* is no run: .*flags.cfg"):
        replay.run_settings(tmp_path, HMR_SYSTEM)


@pytest.mark.parametrize("data_dir", [None, "here"])
def test_a_batch_without_what_the_model_needs_is_refused(config, data_dir):
    system = toy(square)
    saved(dataclasses.replace(config, data_dir=data_dir), system, 1)
    batch = failed(config, system, 2)
    other = dataclasses.replace(batch, batch={"y": batch.batch["x"]})
    with pytest.raises(ValueError, match="failed_batch_2.npz holds no 'x'.*another model"):
        replayed(config, system, other)


def test_a_batch_of_other_sizes_is_refused(config):
    system = toy(square)
    saved(config, system, 1)
    batch = failed(config, system, 2, [1.0, 2.0])
    with pytest.raises(ValueError, match="failed_batch_2.npz does not fit the model"):
        replayed(config, system, batch)


def test_a_run_of_another_model_is_refused(small_config, config):
    saved(config, toy(square), 1)
    settings = dataclasses.replace(small_config, model_dir=config.model_dir)
    batch = failed(config, toy(square), 2)
    with pytest.raises(ValueError, match="holds no 'has3d', 'image'"):
        replay.replay(settings, HMR_SYSTEM, batch, config.model_dir)


# HMR itself.


@pytest.mark.slow
def test_a_run_that_diverges_is_explained_by_the_command(small_config, tmp_path, capsys):
    """Before its first checkpoint: the weights it began with are those of the seed."""
    config = dataclasses.replace(
        small_config, model_dir=str(tmp_path), e_lr=1e30, steps_per_epoch=4
    )
    with pytest.raises(FloatingPointError) as caught:
        training.train(config, HMR_SYSTEM)
    assert f"python -m hmr_tf2.replay --load_path={tmp_path} {tmp_path}" in str(caught.value)
    noted = failures.read_failed_batch(tmp_path / "failed_batch_2.npz").losses
    capsys.readouterr()
    main(ReplaySettings(batch_file="failed_batch_2.npz", load_path=str(tmp_path)))
    text = capsys.readouterr().out
    assert (tmp_path / "replay_2.txt").read_text() in text
    assert "in the forward pass" in text and "hmr_tf2/" in text
    assert "the random weights of --seed=1, with which the run began" in text
    assert "and step 1 run again from the records" in text
    for name, value in noted.items():
        line = next(line for line in text.splitlines() if line.startswith(f"  {name} "))
        here, in_run = map(float, line.split()[1:])
        assert in_run == pytest.approx(value, rel=1e-5, nan_ok=True)
        assert math.isfinite(here) == math.isfinite(in_run), line


@pytest.fixture(scope="module")
def hmr(small_config):
    """HMR with random weights, and a batch of the sample records."""
    model = training.run.compiled_model(small_config, HMR_SYSTEM, 2)
    batch = next(iter(TrainingData(small_config).batches(0).take(1)))
    return model, {name: value.numpy() for name, value in batch.items()}


@pytest.mark.parametrize("name, value", [("image", math.nan), ("label", math.inf)])
def test_of_a_picture_and_a_label_the_operation_that_met_them_is_named(hmr, name, value):
    model, batch = hmr
    broken = {**batch, name: batch[name].copy()}
    broken[name][1, 3, 2] = value
    recorded, fault = numerics.first_fault(
        lambda: model.record_losses({key: tf.constant(array) for key, array in broken.items()})
    )
    assert recorded is None
    (tensor,) = numerics.broken(broken.items())
    assert (tensor.name, tensor.rows) == (name, (1,))
    place = numerics.shown_path(fault.frames[-1].filename)
    if name == "image":
        assert "small_resnet" in fault.layer and place == "hmr_tf2/hmr/model.py"
    else:
        assert fault.layer is None and place == "hmr_tf2/losses.py"


def test_nothing_in_a_sound_step_of_hmr_is_called_a_fault(hmr):
    """Not even in passing, such as a division by 0 whose result is not used."""
    model, batch = hmr

    def step():
        recorded = model.record_losses({key: tf.constant(a) for key, a in batch.items()})
        model.gradients_of(recorded)

    assert numerics.first_fault(step) == (None, None)


CATCH_UP = """
import dataclasses, json, sys
import numpy as np, tensorflow as tf
from hmr_tf2 import flagfiles, training
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.hmr.system import HMR_SYSTEM
from hmr_tf2.training import failures, replay

config = TrainConfig(**flagfiles.read_flagfile(sys.argv[1], TrainConfig))
training.train(config, HMR_SYSTEM)
data = HMR_SYSTEM.make_data(config)
batch = dict(next(iter(data.batches(3).take(1))))
path = failures.write_batch(config.model_dir, 4, batch, data.record_names(3), {})
states = []
original = replay.outcome_of
replay.outcome_of = lambda model, *rest: states.append(
    [v.numpy() for v in replay.state_of(model)]) or original(model, *rest)
for step in (1, 3):
    settings = replay.run_settings(config.model_dir, HMR_SYSTEM)
    found = replay.replay(settings, HMR_SYSTEM, failures.read_failed_batch(path),
                          f"{config.model_dir}/ckpt-{step}")
    assert found.notes == () and found.weights_step == 3 and found.outcome.is_finite, found
differ = [n for n, (a, b) in enumerate(zip(*states)) if not np.array_equal(a, b)]
assert len(states[0]) > 150 and not differ, differ
"""


@pytest.mark.slow
def test_catching_up_gives_the_very_bits_of_hmrs_weights(small_config, tmp_path):
    """In a process of its own, for --deterministic is for all of a process."""
    config = dataclasses.replace(
        small_config,
        model_dir=str(tmp_path / "run"),
        deterministic=True,
        steps_per_epoch=3,
        epoch=1,
        checkpoint_steps=1,
    )
    flags_file = training.run.write_flags(config, tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", CATCH_UP, flags_file],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
