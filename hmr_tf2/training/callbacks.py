"""What happens around the steps of a run: progress, TensorBoard, checkpoints, a stop on NaN."""

import math
import time

import keras
import tensorflow as tf
from tensorflow_addons.callbacks import TQDMProgressBar

# Our name of a loss to the original's TensorBoard tag, and the weight it is logged without.
SCALARS = {
    "e_loss": ("loss/e_loss", None),
    "e_loss_kp": ("loss/e_loss_kp_noscale", "e_loss_weight"),
    "e_loss_3d": ("loss/e_loss_3d_params_noscale", "e_3d_weight"),
    "e_loss_3d_joints": ("loss/e_loss_3d_joints_noscale", "e_3d_weight"),
    "e_loss_disc": ("loss/e_loss_disc", None),
    "d_loss": ("loss/d_loss", None),
    "d_loss_fake": ("loss/d_loss_fake", None),
    "d_loss_real": ("loss/d_loss_real", None),
}
STAGE_TAG = "loss/e_losses_noscale/{}"
SHOWN = ("e_loss", "e_loss_kp", "d_loss")


class ProgressBar(TQDMProgressBar):
    """TensorFlow Addons' bar with rate and ETA, showing the three losses one watches."""

    def __init__(self):
        super().__init__(show_overall_progress=False, metrics_format="{name} {value:0.3f}")

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, _shown(logs))

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, _shown(logs))


def _shown(logs):
    return {name: value for name, value in (logs or {}).items() if name in SHOWN}


class StopOnNaN(keras.callbacks.Callback):
    """Raises when a loss is no longer finite, before the state is saved.

    Raises:
        FloatingPointError: names loss and step.
    """

    def on_train_batch_end(self, batch, logs=None):
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                step = int(self.model.optimizer.iterations.numpy())
                raise FloatingPointError(
                    f"{name} is {value} at step {step}. The last checkpoint is intact; "
                    "a lower --e_lr or --d_lr may help."
                )


class Scalars(keras.callbacks.Callback):
    """Writes the losses of each step under the original's TensorBoard tags."""

    def __init__(self, log_dir: str, flush_steps: int):
        super().__init__()
        self.writer = tf.summary.create_file_writer(log_dir)
        self.flush_steps = flush_steps

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.optimizer.iterations.numpy())
        with self.writer.as_default():
            for tag, value in original_scalars(logs, self.model.config).items():
                tf.summary.scalar(tag, value, step)
        if step % self.flush_steps == 0:
            self.writer.flush()

    def on_train_end(self, logs=None):
        self.writer.flush()


def original_scalars(logs: dict[str, float], config) -> dict[str, float]:
    """The step's losses under the original's tags, without the weights it leaves out there."""
    scalars = {}
    for name, value in logs.items():
        if name in SCALARS:
            tag, weight = SCALARS[name]
            divisor = getattr(config, weight) if weight else 1.0
            scalars[tag] = value / divisor if divisor else 0.0
        else:
            scalars[STAGE_TAG.format(name)] = value
    return scalars


class Checkpoints(keras.callbacks.Callback):
    """Saves at the end of an epoch and, inside one, every so many minutes."""

    def __init__(self, manager: tf.train.CheckpointManager, minutes: float):
        super().__init__()
        self.manager = manager
        self.seconds = 60.0 * minutes
        self.saved_at = time.monotonic()

    def save(self) -> None:
        self.manager.save(checkpoint_number=self.model.optimizer.iterations)
        self.saved_at = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        if time.monotonic() - self.saved_at >= self.seconds:
            self.save()

    def on_epoch_end(self, epoch, logs=None):
        self.save()
