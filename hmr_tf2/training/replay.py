"""Runs a step that failed once more, with numeric checks, and finds what was not finite first.

Batches, their augmentation and dropout are functions of the settings and of the step's number, so
that a step can be run again from the weights before it.
"""

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tf_keras as keras
from absl import logging

from hmr_tf2 import flagfiles
from hmr_tf2.checkpoints import run_folder
from hmr_tf2.config import RunConfig
from hmr_tf2.trained_model import TrainedModel
from hmr_tf2.training import numerics, run, saving
from hmr_tf2.training.failures import FailedBatch
from hmr_tf2.training.outcome import Outcome, lacks, outcome_of, state_of
from hmr_tf2.training.progress import progress
from hmr_tf2.training.system import Data, System
from tfrecords_tools.paths import path_of


@dataclasses.dataclass(frozen=True)
class Replay:
    """A step that was run once more.

    Attributes:
        failed: the file it was asked for.
        step: the one that was run, counted from 1; an earlier one than the file's where on the way
            there something was already not finite.
        records: file and place of each of its examples.
        weights_step: the step after which the weights were as they are used here.
        weights_from: where they come from, in words.
        notes: what differs from the run, a sentence each.
        outcome: what the step came to.
    """

    failed: FailedBatch
    step: int
    records: tuple[str, ...]
    weights_step: int
    weights_from: str
    notes: tuple[str, ...]
    outcome: Outcome


def run_settings(load_path: str | os.PathLike, system: System, **changed) -> RunConfig:
    """The settings a run was made with, for one device and one step at a time.

    Args:
        load_path: the run's folder, or a checkpoint in it.
        system: what was trained.
        **changed: settings to use instead of the run's; those that are None are not.

    Raises:
        FileNotFoundError: it is not a run's.
        ValueError: a setting is not understood.
    """
    flags_file = run_folder.flags_file(load_path)
    if flags_file is None:
        raise FileNotFoundError(
            f"--load_path={load_path} is no run: there is no {run_folder.FLAGS_FILE} with its "
            "settings. Pass the folder in which the training wrote the failed batch."
        )
    kind = system.config_class
    settings = flagfiles.read_flagfile(flags_file, kind)
    settings |= {name: value for name, value in changed.items() if value is not None}
    # The folder may have been moved since.
    return kind(**{**settings, "model_dir": str(flags_file.parent)})


def replay(
    config: RunConfig,
    system: System,
    failed: FailedBatch,
    load_path: str | os.PathLike,
    catch_up: bool = True,
) -> Replay:
    """Runs a failed step again from the newest weights of before it.

    Args:
        config: what `run_settings` returned.
        system: what was trained.
        failed: the batch of the step.
        load_path: the run's folder: its newest checkpoint from before the step is taken, or where
            there is none what the run began with; or one checkpoint.
        catch_up: run the steps between that checkpoint and the failed one first, where the run's
            records are there.

    Raises:
        ValueError, OSError: the checkpoint or the batch is not of this model, or is damaged.
    """
    for tensor in numerics.broken(failed.batch.items()):
        logging.warning("The batch itself is not finite: %s has %s.", tensor.name, tensor.counts)
    if config.deterministic:
        run.make_deterministic()
    notes = _differences(config, failed)
    config = dataclasses.replace(config, strategy="single", steps_per_execution=1)
    data, missing = _find_data(config, system, failed)
    if data is not None:
        notes += _differences_from_records(data, failed)
    model = _model(config, system, data, notes)
    weights_from = _restore(model, config, load_path, failed.step - 1)
    done = int(model.optimizer.iterations.numpy())
    told = _Told(failed.step, failed.batch, failed.records)
    if done < failed.step - 1 and catch_up and data is not None:
        reached = _catch_up(model, system, data, done, failed.step - 1)
        if reached > done:
            weights_from += f", and {_steps(done + 1, reached)} run again from the records"
        done = reached
        if reached < failed.step - 1:  # a step on the way failed already
            told = _Told(reached + 1, _batch(data, reached), tuple(data.record_names(reached)))
    elif done != failed.step - 1:
        notes.append(_other_weights(done, failed.step, missing if catch_up else None))
    _set_step(model, told.step - 1)
    outcome = outcome_of(model, told.batch, failed.path)
    return Replay(failed, told.step, told.records, done, weights_from, tuple(notes), outcome)


class _Told(NamedTuple):
    """A step, counted from 1, with its batch and where its records lie."""

    step: int
    batch: Mapping[str, np.ndarray]
    records: tuple[str, ...]


def _other_weights(done: int, step: int, missing: str | None) -> str:
    """Says that the weights are not those before `step`, and how to get them."""
    if done >= step:
        return (
            f"These weights are of step {done}, after the step that failed; there are none from "
            "before it."
        )
    remedy = missing or "Without --nocatch_up the steps between are run first, from the records."
    begun = f"Step {step} began with the weights of step {step - 1}; these are of step {done}."
    return f"{begun} {remedy}"


def _differences(config: RunConfig, failed: FailedBatch) -> list[str]:
    """What keeps a replay from being the very computation of the run."""
    notes = []
    if config.strategy != "single":
        notes.append(
            f"The run computed on several devices (--strategy={config.strategy}), and one "
            "computes here: sums are equal to rounding."
            + ("" if config.sync_batch_norm else " Each device had batch norms of its own rows.")
        )
    if config.xla:
        notes.append(
            "The run was compiled by XLA, which draws other dropout masks than the step here."
        )
    if config.mixed_precision == "float16":
        notes.append(
            "The loss scale of float16 is not saved: it begins anew here. A step whose gradients "
            "overflow is left out by the optimiser and stops no run."
        )
    if config.steps_per_execution > 1 and failed.losses:
        notes.append(
            f"The run returned every {config.steps_per_execution} steps "
            "(--steps_per_execution): the losses noted are of the last of them."
        )
    return notes


def _differences_from_records(data: Data, failed: FailedBatch) -> list[str]:
    """Says so if the run's records make another batch than the file holds."""
    try:
        batch = _batch(data, failed.step - 1)
    except (ValueError, OSError) as error:
        # The file holds all that the step itself needs.
        return [f"The file could not be compared with the records: {str(error).splitlines()[0]}"]
    if _same_batch(failed.batch, batch):
        return []
    return [
        f"The records make another batch of step {failed.step} than the file holds. Unless "
        "somebody has changed the file, it or the records are of another run, and the step "
        "that is repeated here is not the one that failed."
    ]


def _find_data(
    config: RunConfig, system: System, failed: FailedBatch
) -> tuple[Data | None, str | None]:
    """The run's data, or why there is none, with the remedy.

    Raises:
        ValueError: the failed batch lacks an array that the data has.
    """
    remedy = "To run the steps between first, name the folder of its records as --data_dir"
    try:
        data = system.make_data(config)
    except (ValueError, OSError) as error:
        return None, f"{remedy}: {str(error).splitlines()[0]}"
    lacking = sorted(set(data.batches().element_spec) - set(failed.batch))
    if lacking:
        raise ValueError(lacks(failed.path, lacking))
    return data, None


def _model(config, system, data, notes) -> TrainedModel:
    """The model of the run as it began, as far as its seed and settings tell."""
    steps_per_epoch = data.steps_per_epoch if data else config.steps_per_epoch
    if not steps_per_epoch and config.lr_schedule != "constant":
        notes.append(
            "Without the records the length of an epoch is not known, and so the learning rate is "
            "not that of the run."
        )
    keras.utils.set_random_seed(config.seed)
    return run.compiled_model(config, system, steps_per_epoch or 1)


def _restore(
    model: TrainedModel, config: RunConfig, load_path: str | os.PathLike, done: int
) -> str:
    """Restores the newest weights of `done` steps or fewer; tells what they are."""
    path = load_path if not path_of(load_path).is_dir() else _checkpoint_before(load_path, done)
    if path is None and config.load_path and not _same_folder(config.load_path, config.model_dir):
        path = config.load_path
    step = run.restore_start(model, path, config.pretrained_model_path)
    if path:
        return f"{path}, of step {step}"
    begun = config.pretrained_model_path or f"the random weights of --seed={config.seed}"
    return f"{begun}, with which the run began (it has no checkpoint yet)"


def _checkpoint_before(folder: str | os.PathLike, done: int) -> str | None:
    """The newest whole checkpoint of at most `done` steps, else the oldest, if there is any."""
    prefix = None
    for prefix in run_folder.whole_checkpoints(folder):
        if run_folder.step_of(prefix) <= done:
            break
    return prefix


def _same_folder(path: str, folder: str) -> bool:
    path, folder = path_of(path).absolute(), path_of(folder).absolute()
    return folder in (path, path.parent)


def _catch_up(model: TrainedModel, system: System, data: Data, done: int, goal: int) -> int:
    """Trains from step `done` to step `goal`, or to before the first that is not finite.

    Returns:
        The number of steps done.
    """
    logging.info("Running steps %d to %d again from the records.", done + 1, goal)
    with run.records_explained(data):
        model.fit(
            data.batches(done),
            initial_epoch=done // data.steps_per_epoch,
            epochs=done // data.steps_per_epoch + 1,
            steps_per_epoch=goal - done,
            callbacks=[progress(goal, system.shown), StopBeforeFailure()],
            verbose=0,
        )
    return int(model.optimizer.iterations.numpy())


class StopBeforeFailure(keras.callbacks.Callback):
    """Ends training at a step that is not finite, and takes that step back; stands last."""

    def on_train_batch_begin(self, batch, logs=None):
        # TensorFlow copies a variable that is written to while somebody holds what it was.
        self._before = [variable.read_value() for variable in state_of(self.model)]

    def on_train_batch_end(self, batch, logs=None):
        finite = all(map(math.isfinite, logs.values()))
        if finite and bool(saving.all_finite(state_of(self.model))):
            return
        for variable, value in zip(state_of(self.model), self._before, strict=True):
            variable.assign(value)
        self.model.stop_training = True


def _set_step(model: TrainedModel, done: int) -> None:
    """Lets the next step be number `done` + 1, whose dropout it then draws."""
    change = done - int(model.optimizer.iterations.numpy())
    for optimizer in model.optimizers().values():
        optimizer.iterations.assign_add(change)


def _batch(data: Data, step: int) -> dict[str, np.ndarray]:
    """Batch `step`, counted from 0."""
    with run.records_explained(data):
        batch = next(iter(data.batches(step).take(1)))
    return {name: value.numpy() for name, value in batch.items()}


def _same_batch(one: Mapping, other: Mapping) -> bool:
    # NaN, which may have been there from the beginning, is equal to itself here.
    return all(
        np.array_equal(one[name], value, equal_nan=np.issubdtype(value.dtype, np.inexact))
        for name, value in other.items()
    )


def _steps(first: int, last: int) -> str:
    return f"step {first}" if first == last else f"steps {first} to {last}"
