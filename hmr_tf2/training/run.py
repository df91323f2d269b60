"""One training run: data, model, where to start from, and Keras' fit around `HMR.train_step`."""

import dataclasses
import datetime
import os
import pathlib

import keras
import tensorflow as tf
from absl import logging

from hmr_tf2 import flagfiles
from hmr_tf2.checkpoints import restore_tf1, run_folder
from hmr_tf2.config import TrainConfig
from hmr_tf2.data.pipeline import TrainingData
from hmr_tf2.hmr import HMR
from hmr_tf2.training import callbacks


@dataclasses.dataclass(frozen=True)
class TrainingSummary:
    """What a run did."""

    model_dir: str
    start_step: int
    end_step: int
    checkpoint: str | None
    losses: dict[str, float]


def train(config: TrainConfig) -> TrainingSummary:
    """Trains until `config.epoch` epochs are done, continuing the run in its folder if any.

    Starts from, in this order: the newest checkpoint in `model_dir`; `load_path`;
    `pretrained_model_path`; random weights.

    Raises:
        ValueError, OSError: a setting, a data set, a model file or a checkpoint is unusable.
    """
    config = dataclasses.replace(config, model_dir=_model_dir(config))
    data = TrainingData(config)
    keras.utils.set_random_seed(config.seed)
    model = HMR(config)
    model.compile()
    # Slots exist before a checkpoint is read, so that it is checked as a whole.
    model.build_optimizers()
    start_step = _start(model, config)
    end_step = config.epoch * data.steps_per_epoch

    os.makedirs(config.model_dir, exist_ok=True)
    write_flags(config)
    manager = tf.train.CheckpointManager(
        run_folder.training_state(model), config.model_dir, config.keep_checkpoints
    )
    logging.info(
        "%d images, %d steps an epoch; steps %d to %d; results in %s",
        data.num_images, data.steps_per_epoch, start_step, end_step, config.model_dir,
    )
    losses = _fit(model, data, config, manager, start_step)
    return TrainingSummary(
        config.model_dir, start_step, max(start_step, end_step), manager.latest_checkpoint, losses
    )


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
        prefix = run_folder.restore(model, newest or config.load_path)
        step = int(model.optimizer.iterations.numpy())
        logging.info("Continuing from %s at step %d", prefix, step)
        return step
    if config.pretrained_model_path:
        names = restore_tf1(model, config.pretrained_model_path)
        logging.info("Fine-tuning from %s: %d variables", config.pretrained_model_path, len(names))
    return 0


def write_flags(config: TrainConfig) -> pathlib.Path:
    """Writes the effective flags beside the checkpoints, as a flagfile that repeats the run."""
    path = pathlib.Path(config.model_dir, run_folder.FLAGS_FILE)
    partial = path.with_suffix(".partial")
    partial.write_text(flagfiles.as_flagfile(config), encoding="utf-8")
    partial.replace(path)
    return path


def _fit(model, data, config, manager, start_step) -> dict[str, float]:
    """Runs the remaining steps; an epoch that was begun is finished first."""
    checkpoints = callbacks.Checkpoints(manager, config.checkpoint_minutes)
    around = [
        callbacks.StopOnNaN(),
        callbacks.Scalars(config.model_dir, config.log_img_step),
        callbacks.ProgressBar(),
        checkpoints,
    ]
    steps = data.steps_per_epoch
    step, losses = start_step, {}
    while step < config.epoch * steps:
        epoch, done = divmod(step, steps)
        epochs = epoch + 1 if done else config.epoch
        try:
            history = model.fit(
                data.batches(step), initial_epoch=epoch, epochs=epochs,
                steps_per_epoch=steps - done, callbacks=around, verbose=0,
            )
        except KeyboardInterrupt:
            checkpoints.save()
            logging.info("Saved %s; the same command continues.", manager.latest_checkpoint)
            raise
        losses = {name: values[-1] for name, values in history.history.items()}
        step = epochs * steps
    return losses
