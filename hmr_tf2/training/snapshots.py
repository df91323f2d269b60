"""Draws for TensorBoard, every so many steps, what the model predicts for its batch."""

import contextlib
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
import tf_keras as keras

from hmr_tf2.training.summaries import EventFiles
from hmr_tf2.training.system import Draw


class Snapshots(keras.callbacks.Callback):
    """Draws what the step that is about to run predicts for its batch.

    As in the original this is the pass of training, with the statistics of the batch and dropout.
    It is computed a second time, because Keras hands out losses only, and it leaves the model
    unchanged. A snapshot has the number of its step, like the losses of the same pass.

    Tags: `vis_images/0`, `vis_images/1` and so on, and those of the system's histograms.

    Args:
        files: TensorBoard's files.
        read_batch: maps a step's number, counted from 0, to its batch.
        draw: maps a model and a batch to pictures and, by tag, values for histograms.
        every: steps between snapshots; the first step of a session has one as well.
    """

    def __init__(
        self,
        files: EventFiles,
        read_batch: Callable[[int], Mapping[str, tf.Tensor]],
        draw: Draw,
        every: int,
    ):
        super().__init__()
        self.files = files
        self.read_batch = read_batch
        self.draw = draw
        self.every = every
        self._period = None

    def on_epoch_begin(self, epoch, logs=None):
        # The session's first snapshot. At the start of the first step, Keras would warn of a slow
        # callback.
        self.on_train_batch_begin(0)

    def on_train_batch_begin(self, batch, logs=None):
        done = int(self.model.optimizer.iterations.numpy())
        if done // self.every == self._period:
            return
        self._period = done // self.every
        with averages_kept(self.model):
            drawn, histograms = self.draw(self.model, self.read_batch(done))
        with self.files.writing(done + 1):
            for number, picture in enumerate(drawn):
                tf.summary.image(f"vis_images/{number}", picture[np.newaxis])
            for name, values in histograms.items():
                tf.summary.histogram(name, values)


@contextlib.contextmanager
def averages_kept(model):
    """Restores the batch norms' averages, bit for bit, on leaving it."""
    averages = model.moving_averages()
    before = [variable.numpy() for variable in averages]
    try:
        yield
    finally:
        for variable, value in zip(averages, before, strict=True):
            variable.assign(value)


def batch_reader(batches: Callable[[tf.Tensor], tf.data.Dataset]):
    """Makes a function from a step's number to its batch; the pipeline is built only once.

    Args:
        batches: maps a step's number to the batches from that step on.
    """

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)], autograph=False)
    def read(step):
        return batches(step).take(1).get_single_element()

    return lambda step: read(tf.constant(step, tf.int64))
