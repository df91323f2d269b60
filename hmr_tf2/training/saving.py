"""Writes the checkpoints of a run, so that the last good one is never lost."""

import json
import os
import time
from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras
from absl import logging

from hmr_tf2.checkpoints import run_folder
from hmr_tf2.training.failures import StopOnFailure
from hmr_tf2.training.stopping import StopSignals, TrainingStopped
from hmr_tf2.training.strategies import Agreement
from tfrecords_tools.files import write_bytes, write_text
from tfrecords_tools.paths import path_of

BEST_METRICS_FILE = "metrics.json"


class Checkpoints(keras.callbacks.Callback):
    """Saves every so many minutes or steps, at the end of an epoch, and when asked to stop.

    A checkpoint is there as a whole or not at all: TensorFlow writes it beside the others, and
    only then names it in the folder's `checkpoint` file.

    Args:
        manager: manages the checkpoints of the run's state.
        minutes: minutes between checkpoints.
        steps: steps between checkpoints; 0 leaves it to `minutes`.
        failure: watches the losses; no state is saved while its loss is in doubt.
        signals: tell whether the run is asked to stop.
        agreement: makes all processes of the run save and stop after the same step.

    Raises:
        TrainingStopped: a signal came; the state has been saved.
        FloatingPointError: a weight is no longer finite; nothing was saved.
        OSError: the checkpoint could not be written; the last one is intact.
    """

    def __init__(
        self,
        manager: tf.train.CheckpointManager,
        minutes: float,
        steps: int,
        failure: StopOnFailure,
        signals: StopSignals,
        agreement: Agreement,
    ):
        super().__init__()
        self.manager = manager
        self.minutes = minutes
        self.steps = steps
        self.failure = failure
        self.signals = signals
        self.agreement = agreement
        self._saved_at = (time.monotonic(), None)

    def on_train_begin(self, logs=None):
        self._saved_at = (time.monotonic(), self._step())

    def on_train_batch_end(self, batch, logs=None):
        save, stop = self.agreement([self._is_due(), self.signals.received is not None])
        if (save or stop) and not self.failure.in_doubt:
            self.save()
        if stop:
            raise TrainingStopped(self.signals.received or "Stopped by another process of the run")

    def on_epoch_end(self, epoch, logs=None):
        if not self.failure.in_doubt:
            self.save()

    def save(self) -> None:
        """Writes a checkpoint of this step, unless the last one is already of this step."""
        step = self._step()
        if step != self._saved_at[1]:
            save_state(self.model, self.manager)
        self._saved_at = (time.monotonic(), step)

    def _is_due(self):
        when, step = self._saved_at
        by_steps = self.steps and self._step() - step >= self.steps
        return bool(by_steps) or time.monotonic() - when >= 60.0 * self.minutes

    def _step(self):
        return int(self.model.optimizer.iterations.numpy())


class KeepBest(keras.callbacks.Callback):
    """Keeps the state with the lowest validation error in a folder of its own.

    It must come after `Validate`, which measures the errors.

    Args:
        manager: manages the checkpoint in that folder.
        flags_file: the run's flagfile, copied there so that `--load_path` accepts the folder.
        best_by: names of errors; the first of them that the validation measured decides.
    """

    def __init__(
        self,
        manager: tf.train.CheckpointManager,
        flags_file: str | os.PathLike,
        best_by: Sequence[str],
    ):
        super().__init__()
        self.manager = manager
        self.flags_file = flags_file
        self.best_by = best_by

    def on_epoch_end(self, epoch, logs=None):
        metric = next((name for name in self.best_by if name in (logs or {})), None)
        if metric is None:
            return
        path = path_of(self.manager.directory, BEST_METRICS_FILE)
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        # Written so that an error of NaN is not an improvement.
        if not logs[metric] < before.get(metric, float("inf")):
            return
        save_state(self.model, self.manager)
        flags_file = path_of(self.flags_file)
        write_bytes(path.with_name(flags_file.name), flags_file.read_bytes())
        errors = {name: float(value) for name, value in logs.items() if name.startswith("val_")}
        errors["step"] = int(self.model.optimizer.iterations.numpy())
        write_text(path, json.dumps(errors, indent=1) + "\n")
        logging.info("Best so far: %s %.4g; kept in %s", metric, logs[metric], path.parent)


def save_state(model, manager: tf.train.CheckpointManager) -> None:
    """Writes a checkpoint, if all weights are finite.

    Raises:
        FloatingPointError, OSError: see `Checkpoints`.
    """
    step = int(model.optimizer.iterations.numpy())
    intact = f"Last good checkpoint: {manager.latest_checkpoint or 'none yet'}."
    if not bool(all_finite(model.variables)):
        raise FloatingPointError(
            f"A weight is no longer finite after step {step}; it was not saved. {intact} "
            "A lower --e_lr or --d_lr may help."
        )
    try:
        manager.save(checkpoint_number=step)
    except (tf.errors.OpError, OSError) as error:
        run_folder.tidy(manager.directory)
        reason = str(error).splitlines()[0]
        raise OSError(
            f"No checkpoint of step {step} could be written to {manager.directory}: {reason}\n"
            f"{intact} Make room there; the same command continues from it."
        ) from error


@tf.function(autograph=False)
def all_finite(variables: Sequence[tf.Variable]) -> tf.Tensor:
    """Whether every number in them is finite: bool []."""
    floats = [variable for variable in variables if variable.dtype.is_floating]
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(variable)) for variable in floats])
