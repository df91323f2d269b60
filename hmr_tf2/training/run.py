"""One training run: data, model, where to start from, and Keras' fit around `HMR.train_step`."""

import contextlib
import dataclasses
import datetime
import os
import pathlib
import tempfile

import tensorflow as tf
import tf_keras as keras
from absl import logging

from hmr_tf2 import flagfiles
from hmr_tf2.checkpoints import restore_tf1, run_folder
from hmr_tf2.config import TrainConfig
from hmr_tf2.evaluation.validation import Validation
from hmr_tf2.hmr import HMR
from hmr_tf2.hmr.data import TrainingData
from hmr_tf2.training import changes, log_file, schedules, strategies, summaries
from hmr_tf2.training.failures import StopOnFailure
from hmr_tf2.training.input_clock import InputClock
from hmr_tf2.training.progress import progress
from hmr_tf2.training.provenance import write_provenance
from hmr_tf2.training.saving import Checkpoints, KeepBest
from hmr_tf2.training.snapshots import Snapshots, batch_reader
from hmr_tf2.training.stopping import StopSignals, TrainingStopped
from hmr_tf2.training.validation import Validate
from hmr_tf2.training.vitals import Vitals
from tfrecords_tools.files import write_text

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


def train(config: TrainConfig) -> TrainingSummary:
    """Trains until `config.epoch` epochs are done, continuing the run in its folder if any.

    Starts from, in this order: the newest checkpoint in `model_dir`; `load_path`;
    `pretrained_model_path`; random weights.

    Raises:
        ValueError, OSError: a setting, a data set, a model file or a checkpoint is unusable.
        FloatingPointError: a loss or a weight is no longer finite, or the loss has exploded.
    """
    config = dataclasses.replace(config, model_dir=_model_dir(config))
    if config.deterministic:
        make_deterministic()
    strategy = strategies.make_strategy(config)
    strategies.check_batch_size(strategy, config.batch_size)
    data = TrainingData(config)
    validation = Validation(config.data_dir, config.val_datasets, config.val_people)
    keras.utils.set_random_seed(config.seed)
    with strategy.scope():
        model = HMR(config)
        model.compile(
            e_lr=schedules.learning_rate(config.e_lr, config, data.steps_per_epoch),
            d_lr=schedules.learning_rate(config.d_lr, config, data.steps_per_epoch),
            jit_compile=config.xla,
            steps_per_execution=config.steps_per_execution,
        )
        # Slots exist before a checkpoint is read, so that it is checked as a whole.
        model.build_optimizers()
        start_step = _start(model, config)

    with contextlib.ExitStack() as stack:
        chief = strategies.is_chief(strategy)
        folder = config.model_dir if chief else stack.enter_context(tempfile.TemporaryDirectory())
        os.makedirs(folder, exist_ok=True)
        run_folder.remove_partial(folder)
        flags_file = write_flags(config, folder)
        if chief:
            stack.enter_context(log_file.log_to(folder))
            write_provenance(folder, config, data.files, start_step)
        return _run(config, strategy, data, validation, model, start_step, flags_file)


def make_deterministic() -> None:
    """Lets equal programs give equal bits on a CPU; for the whole process.

    Without arithmetic optimisation, that would turn sums in pairs (`updates.gradients`) into
    sums of many.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


def write_flags(config: TrainConfig, folder: str | os.PathLike) -> pathlib.Path:
    """Writes the effective flags beside the checkpoints, as a flagfile that repeats the run."""
    path = pathlib.Path(folder, run_folder.FLAGS_FILE)
    write_text(path, flagfiles.as_flagfile(config))
    return path


def _model_dir(config):
    """The run's folder: `model_dir`, else the run that `load_path` is, else a new one."""
    if config.model_dir:
        return config.model_dir
    if config.load_path and run_folder.latest_checkpoint(config.load_path):
        return config.load_path
    return os.path.join(config.log_dir, f"HMR_{datetime.datetime.now():%Y%m%d_%H%M%S}")


def _start(model, config) -> int:
    """Restores what the run starts from; returns the number of steps done."""
    newest = run_folder.latest_checkpoint(config.model_dir)
    if newest or config.load_path:
        flags_file = run_folder.flags_file(newest or config.load_path)
        if flags_file:
            changes.check_unchanged(config, flags_file)
        prefix = run_folder.restore(model, newest or config.load_path)
        step = int(model.optimizer.iterations.numpy())
        logging.info("Continuing from %s at step %d", prefix, step)
        return step
    if config.pretrained_model_path:
        names = restore_tf1(model, config.pretrained_model_path)
        logging.info("Fine-tuning from %s: %d variables", config.pretrained_model_path, len(names))
    return 0


def _run(config, strategy, data, validation, model, start_step, flags_file) -> TrainingSummary:
    """Runs the remaining steps; an epoch that was begun is finished first."""
    folder, clock = flags_file.parent, InputClock()
    writer = summaries.open_writer(folder)
    steps, end_step = data.steps_per_epoch, config.epoch * data.steps_per_epoch
    state = run_folder.training_state(model)
    manager = tf.train.CheckpointManager(state, str(folder), config.keep_checkpoints)
    logging.info(
        "%d images, %d steps an epoch; steps %d to %d; results in %s",
        data.num_examples,
        steps,
        start_step,
        end_step,
        config.model_dir,
    )

    def batches(step):
        return strategies.distribute(
            strategy, lambda shard, shards: clock.watch(data.batches(step, shard, shards))
        )

    read_batch = batch_reader(data.batches)
    failure = StopOnFailure(folder, read_batch, data.records, config.explosion_factor)
    signals = StopSignals()
    checkpoints = Checkpoints(
        manager,
        config.checkpoint_minutes,
        config.checkpoint_steps,
        failure,
        signals,
        strategies.Agreement(strategy),
    )
    around = [
        failure,
        summaries.Scalars(writer),
        Vitals(writer, clock),
        progress(end_step),
        checkpoints,
    ]
    if config.log_img_step:
        around.append(Snapshots(writer, read_batch, config.log_img_step))
    if config.val_datasets:
        best = tf.train.CheckpointManager(state, str(folder / BEST_FOLDER), max_to_keep=1)
        around += [Validate(writer, validation), KeepBest(best, flags_file)]

    step, losses, stopped = start_step, {}, None
    with contextlib.closing(writer), signals, _records_explained(data):
        try:
            while step < end_step:
                epoch, done = divmod(step, steps)
                epochs = epoch + 1 if done else config.epoch
                history = model.fit(
                    batches(step),
                    initial_epoch=epoch,
                    epochs=epochs,
                    steps_per_epoch=steps - done,
                    callbacks=around,
                    verbose=0,
                )
                losses = {name: values[-1] for name, values in history.history.items()}
                step = epochs * steps
        except TrainingStopped as stop:
            stopped, step = str(stop), int(model.optimizer.iterations.numpy())
            logging.info(
                "%s: saved %s; the same command continues.", stopped, manager.latest_checkpoint
            )
    if data.num_corrupt:
        logging.warning("%d corrupt records were passed over.", data.num_corrupt)
    return TrainingSummary(
        config.model_dir,
        start_step,
        max(start_step, step),
        manager.latest_checkpoint,
        losses,
        stopped,
    )


@contextlib.contextmanager
def _records_explained(data):
    """Errors of the pipeline become those of the record behind them, where one is."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = data.explain(error)
        if reason is None:
            raise
        raise reason from error
