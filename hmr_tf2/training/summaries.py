"""Losses of each step for TensorBoard, under the original's names."""

import os
from collections.abc import Mapping

import tensorflow as tf
import tf_keras as keras

# Our name of a loss to the original's TensorBoard tag, and the weight it is divided by there.
SCALARS = {
    "e_loss": ("loss/e_loss", None),
    "e_loss_kp": ("loss/e_loss_kp_noscale", "e_loss_weight"),
    "e_loss_3d": ("loss/e_loss_3d_params_noscale", "e_3d_weight"),
    "e_loss_3d_joints": ("loss/e_loss_3d_joints_noscale", "e_3d_weight"),
    # Divided although it was not multiplied: KEEP (akanazawa/hmr src/trainer.py:351).
    "e_loss_disc": ("loss/e_loss_disc", "d_loss_weight"),
    "d_loss": ("loss/d_loss", None),
    "d_loss_fake": ("loss/d_loss_fake", None),
    "d_loss_real": ("loss/d_loss_real", None),
}
STAGE_PREFIX = "kp_loss_stage"
STAGE_TAG = "loss/e_losses_noscale/{}"
FLUSH_SECONDS = 10


def open_writer(model_dir: str | os.PathLike) -> tf.summary.SummaryWriter:
    """A writer of TensorBoard files in a run's folder, on disk every few seconds."""
    return tf.summary.create_file_writer(
        os.fspath(model_dir), max_queue=1000, flush_millis=1000 * FLUSH_SECONDS
    )


def write_scalars(
    writer: tf.summary.SummaryWriter, scalars: Mapping[str, float], step: int
) -> None:
    """Writes numbers by tag in one call, a tenth of the time of as many `tf.summary.scalar`."""
    event = tf.compat.v1.Summary(
        value=[
            tf.compat.v1.Summary.Value(tag=tag, simple_value=value)
            for tag, value in scalars.items()
        ]
    )
    with writer.as_default():
        tf.summary.experimental.write_raw_pb(event.SerializeToString(), step)


def original_scalars(logs: Mapping[str, float], config) -> dict[str, float]:
    """The losses of a step under the original's tags, without the weights it leaves out there.

    Args:
        logs: what `HMR.train_step` returned; other names are passed over.
        config: has the weights.
    """
    scalars = {}
    for name, value in logs.items():
        if name in SCALARS:
            tag, weight = SCALARS[name]
            divisor = getattr(config, weight) if weight else 1.0
            scalars[tag] = value / divisor if divisor else 0.0
        elif name.startswith(STAGE_PREFIX):
            scalars[STAGE_TAG.format(name)] = value
    return scalars


class Scalars(keras.callbacks.Callback):
    """Writes the losses of each step; with `steps_per_execution`, of the last of so many.

    A step's number is the count of updates with its own, its losses are those before it.
    """

    def __init__(self, writer: tf.summary.SummaryWriter):
        super().__init__()
        self.writer = writer

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.optimizer.iterations.numpy())
        write_scalars(self.writer, original_scalars(logs, self.model.config), step)

    def on_train_end(self, logs=None):
        self.writer.flush()
