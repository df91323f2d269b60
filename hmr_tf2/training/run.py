"""One training run: its data, its model, where it starts from, and Keras' fit around its steps."""

import contextlib
import dataclasses
import datetime
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping

import tensorflow as tf
import tf_keras as keras
from absl import logging

from hmr_tf2 import flagfiles
from hmr_tf2.checkpoints import restore_tf1, run_folder, tf1
from hmr_tf2.config import RunConfig
from hmr_tf2.trained_model import TrainedModel
from hmr_tf2.training import changes, log_file, schedules, strategies, summaries
from hmr_tf2.training.failures import StopOnFailure
from hmr_tf2.training.input_clock import InputClock
from hmr_tf2.training.progress import progress
from hmr_tf2.training.provenance import write_provenance
from hmr_tf2.training.saving import Checkpoints, KeepBest
from hmr_tf2.training.snapshots import Snapshots, batch_reader
from hmr_tf2.training.stopping import StopSignals, TrainingStopped
from hmr_tf2.training.system import Data, System, Validation
from hmr_tf2.training.validation import Curve, Validate, read_curve
from hmr_tf2.training.vitals import Vitals
from tfrecords_tools.files import check_folder, write_text
from tfrecords_tools.locks import locked
from tfrecords_tools.paths import absolute, path_of
from tfrecords_tools.settings import absolute_paths

BEST_FOLDER = "best"


@dataclasses.dataclass(frozen=True)
class TrainingSummary:
    """What a run did; `stopped` is the signal that ended it early, or None."""

    model_dir: str
    start_step: int
    end_step: int
    checkpoint: str | None
    losses: dict[str, float]
    stopped: str | None = None


def train(config: RunConfig, system: System) -> TrainingSummary:
    """Trains until `config.epoch` epochs are done; continues the run in its folder, if any.

    It starts from the first of these that is given: the newest checkpoint in `model_dir`,
    `load_path`, `pretrained_model_path`, random weights.

    Args:
        config: the settings, an instance of `system.config_class`.
        system: the model to train, with its data.

    Raises:
        ValueError, OSError: a setting, a data set, a model file or a checkpoint is unusable.
        FloatingPointError: a loss or a weight is no longer finite, or the loss has exploded.
    """
    config = dataclasses.replace(config, model_dir=_model_dir(config, system.name))
    if config.deterministic:
        make_deterministic()
    strategy = strategies.make_strategy(config)
    strategies.check_batch_size(strategy, config.batch_size)
    data = system.make_data(config)
    validation = system.make_validation(config)
    keras.utils.set_random_seed(config.seed)
    with strategy.scope():
        model = compiled_model(config, system, data.steps_per_epoch)

    with contextlib.ExitStack() as stack:
        chief = strategies.is_chief(strategy)
        # Locked before the checkpoints are read, so that no other run adds to them.
        folder = stack.enter_context(
            _own_folder(config.model_dir) if chief else tempfile.TemporaryDirectory()
        )
        with strategy.scope():
            start_step = _start(model, config)
        for checkpoints in (folder, os.path.join(folder, BEST_FOLDER)):
            run_folder.tidy(checkpoints)
        write_flags(config, folder)
        if chief:
            stack.enter_context(log_file.log_to(folder))
            write_provenance(folder, config, data.files, system.input_files(config), start_step)
        run = Run(config, system, strategy, data, validation, model, path_of(folder))
        return run.finish(start_step)


def compiled_model(config: RunConfig, system: System, steps_per_epoch: int) -> TrainedModel:
    """The model of a run, ready to train, with random weights."""
    model = system.make_model(config)
    rates = {
        f"{part}_lr": schedules.learning_rate(
            getattr(config, f"{part}_lr"), config, steps_per_epoch
        )
        for part in model.parts()
    }
    model.compile(**rates, jit_compile=config.xla, steps_per_execution=config.steps_per_execution)
    # The slots must exist before a checkpoint is read, so that it is checked as a whole.
    model.build_optimizers()
    return model


def make_deterministic() -> None:
    """Makes equal programs give bit-identical results on a CPU, for the whole process.

    Grappler's arithmetic optimisation is turned off: it would merge the pairwise sums of
    `trained_model.gradients` into sums of many terms again.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


def write_flags(config: RunConfig, folder: str | os.PathLike) -> pathlib.Path:
    """Writes the effective flags beside the checkpoints, as a flagfile that repeats the run."""
    path = path_of(folder, run_folder.FLAGS_FILE)
    # Changes are accepted once, by the one who sees them.
    kept = absolute_paths(dataclasses.replace(config, accept_changes=False))
    write_text(path, flagfiles.as_flagfile(kept))
    return path


@contextlib.contextmanager
def _own_folder(folder: str) -> Iterator[str]:
    """The run's folder, made if need be, which no other run can use meanwhile."""
    check_folder(folder, or_address=True).mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder, "Wait until it has ended, or start a run in another --model_dir."):
            yield folder
    finally:
        # Nothing is left of a run that could not start.
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def _model_dir(config: RunConfig, name: str) -> str:
    """The run's folder: `model_dir`, else that of the run at `load_path`, else a new one."""
    if config.model_dir:
        folder = os.fspath(path_of(config.model_dir))
    elif config.load_path and run_folder.latest_checkpoint(config.load_path):
        folder = config.load_path
    else:
        now = datetime.datetime.now()
        folder = os.path.join(config.log_dir, f"{name}_{now:%Y%m%d_%H%M%S}")
    tf1.check_name(folder)
    return folder


def _start(model: TrainedModel, config: RunConfig) -> int:
    """Restores what the run starts from; returns the number of steps already done."""
    newest = run_folder.latest_checkpoint(config.model_dir)
    if newest and config.load_path and not _is_same(config.load_path, config.model_dir):
        logging.info(
            "%s holds checkpoints and is continued; --load_path=%s is only for a new run and is "
            "not used.",
            config.model_dir,
            config.load_path,
        )
    path = newest or config.load_path
    flags_file = run_folder.flags_file(path) if path else None
    if flags_file:
        changes.check_unchanged(config, flags_file)
    return restore_start(model, path, config.pretrained_model_path)


def _is_same(path: str, folder: str) -> bool:
    return absolute(path) == absolute(folder)


def restore_start(model: TrainedModel, path: str | None, pretrained_path: str | None) -> int:
    """Gives a new model the weights that a run goes on from or begins with.

    Args:
        model: compiled, with its random weights.
        path: a checkpoint to go on from; comes before `pretrained_path`.
        pretrained_path: weights to begin with; where there are none either, the random ones stay.

    Returns:
        The number of steps done.
    """
    if path:
        prefix = run_folder.restore(model, path)
        step = int(model.optimizer.iterations.numpy())
        logging.info("Restored %s, of step %d", prefix, step)
        return step
    if pretrained_path:
        if run_folder.is_of_a_run(pretrained_path):
            raise ValueError(
                f"{pretrained_path} is a checkpoint of a run of hmr_tf2. Pass it as --load_path, "
                "which continues it, not as --pretrained_model_path."
            )
        names = restore_tf1(model, pretrained_path)
        logging.info("Starting from the weights of %s (%d variables)", pretrained_path, len(names))
    return 0


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that is ready to start or continue: everything is made and restored.

    Attributes:
        config: the run's settings.
        system: the system that is trained.
        strategy: the devices that it is trained on.
        data: its batches.
        validation: measures errors between epochs; None for no validation.
        model: the compiled model, with the weights to continue from.
        folder: folder for what the run leaves; it exists and holds the run's flags.
    """

    config: RunConfig
    system: System
    strategy: tf.distribute.Strategy
    data: Data
    validation: Validation | None
    model: TrainedModel
    folder: pathlib.Path

    def finish(self, start_step: int) -> TrainingSummary:
        """Runs the steps from `start_step` to the end of the last epoch."""
        steps = self.data.steps_per_epoch
        end_step = self.config.epoch * steps
        logging.info(
            "%d examples, %d steps per epoch; running steps %d to %d; results go to %s",
            self.data.num_examples,
            steps,
            start_step,
            end_step,
            self.config.model_dir,
        )
        events, clock = summaries.EventFiles(self.folder), InputClock()
        manager = self._checkpoint_manager(self.folder, self.config.keep_checkpoints)
        with contextlib.closing(events), StopSignals() as signals, records_explained(self.data):
            validators = self._validators(events)
            errors = self._validate_if_missed(validators, start_step)
            around = [*self._watchers(events, clock, end_step, manager, signals), *validators]
            losses, step, stopped = self._fit(around, clock, start_step, end_step)
        if stopped:
            logging.info(
                "%s: saved %s; the same command continues the run.",
                stopped,
                manager.latest_checkpoint,
            )
        if self.data.num_corrupt:
            logging.warning("%d corrupt records were skipped.", self.data.num_corrupt)
        return TrainingSummary(
            self.config.model_dir,
            start_step,
            max(start_step, step),
            manager.latest_checkpoint,
            losses or errors,
            stopped,
        )

    def _fit(
        self, callbacks: list, clock: InputClock, step: int, end_step: int
    ) -> tuple[Mapping[str, float], int, str | None]:
        """Fits from `step` on, beginning with the rest of an epoch that was already started.

        Returns:
            The last epoch's losses, the step reached, and the signal that ended it early, if any.
        """
        steps, losses = self.data.steps_per_epoch, {}
        try:
            while step < end_step:
                epoch, done = divmod(step, steps)
                # Keras counts whole epochs, so the rest of one is a fit of its own.
                epochs = epoch + 1 if done else self.config.epoch
                history = self.model.fit(
                    self._batches(clock, step),
                    initial_epoch=epoch,
                    epochs=epochs,
                    steps_per_epoch=steps - done,
                    callbacks=callbacks,
                    verbose=0,
                )
                losses = {name: values[-1] for name, values in history.history.items()}
                step = epochs * steps
        except TrainingStopped as stop:
            return losses, int(self.model.optimizer.iterations.numpy()), str(stop)
        return losses, step, None

    def _batches(self, clock: InputClock, step: int):
        return strategies.distribute(
            self.strategy,
            lambda shard, shards: clock.watch(self.data.batches(step, shard, shards)),
        )

    def _watchers(self, events, clock, end_step, manager, signals) -> list:
        """The callbacks of every run, in the order in which they must be called."""
        config, system = self.config, self.system
        read_batch: Callable = batch_reader(self.data.batches)
        failure = StopOnFailure(
            self.folder,
            read_batch,
            self.data.record_names,
            config.explosion_factor,
            watched=system.shown[0],
        )
        agreement = strategies.Agreement(self.strategy)
        watchers = [
            failure,
            summaries.Scalars(events, system.tags),
            Vitals(events, clock),
            progress(end_step, system.shown),
            Checkpoints(
                manager,
                config.checkpoint_minutes,
                config.checkpoint_steps,
                failure,
                signals,
                agreement,
            ),
        ]
        if config.log_img_step:
            watchers.append(Snapshots(events, read_batch, system.draw, config.log_img_step))
        return watchers

    def _validate_if_missed(self, validators: list, step: int) -> dict[str, float]:
        """Validates the epoch that the run goes on from, if it was killed before it had done so.

        Returns:
            The errors; none if there was nothing to do.
        """
        if self.validation is None:
            return {}
        steps = self.data.steps_per_epoch
        is_end_of_epoch = step > 0 and step % steps == 0
        is_known = any(entry["step"] == step for entry in read_curve(self.folder))
        # Only the chief has the run's folder, but all devices take part in a validation.
        is_chief = strategies.is_chief(self.strategy)
        agreement = strategies.Agreement(self.strategy)
        (is_missing,) = agreement([is_end_of_epoch and is_chief and not is_known])
        errors: dict[str, float] = {}
        if is_missing:
            logging.info("Step %d has not been validated yet; this comes first.", step)
            for validator in validators:
                validator.set_model(self.model)
                validator.on_epoch_end(step // steps - 1, errors)
        return errors

    def _validators(self, events) -> list:
        """The callbacks that measure errors after each epoch and keep the best checkpoint."""
        if self.validation is None:
            return []
        best = self._checkpoint_manager(self.folder / BEST_FOLDER, 1)
        flags_file = self.folder / run_folder.FLAGS_FILE
        return [
            Validate(events, self.validation),
            KeepBest(best, flags_file, self.system.best_by),
            Curve(self.folder),
        ]

    def _checkpoint_manager(self, folder: pathlib.Path, keep: int) -> tf.train.CheckpointManager:
        return tf.train.CheckpointManager(run_folder.training_state(self.model), str(folder), keep)


@contextlib.contextmanager
def records_explained(data: Data):
    """Turns an error of the pipeline into one about the record that caused it, if one did."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = data.explain(error)
        if reason is None:
            raise
        raise reason from error
