"""Every so many steps, for TensorBoard: what the model makes of its batch."""

import contextlib
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
import tf_keras as keras

from hmr_tf2.training.system import Draw


class Snapshots(keras.callbacks.Callback):
    """Shows what the step that is about to run makes of its batch.

    As in the original that is the training pass: statistics of the batch, and dropout. It is
    computed once more, for Keras hands out losses only, and leaves the model as it was. A
    snapshot has the number of its step, as the losses of the same pass have.

    Tags: `vis_images/0`, `vis_images/1` and so on, and those of the system's histograms.

    Args:
        writer: of TensorBoard files.
        read_batch: from a step's number, counted from 0, to its batch.
        draw: from a model and a batch to pictures and, by tag, values for histograms.
        every: steps between snapshots; the session's first step has one as well.
    """

    def __init__(
        self,
        writer: tf.summary.SummaryWriter,
        read_batch: Callable[[int], Mapping[str, tf.Tensor]],
        draw: Draw,
        every: int,
    ):
        super().__init__()
        self.writer = writer
        self.read_batch = read_batch
        self.draw = draw
        self.every = every
        self._period = None

    def on_epoch_begin(self, epoch, logs=None):
        # The session's first one; before its first step, Keras would call that step slow.
        self.on_train_batch_begin(0)

    def on_train_batch_begin(self, batch, logs=None):
        done = int(self.model.optimizer.iterations.numpy())
        if done // self.every == self._period:
            return
        self._period = done // self.every
        with averages_kept(self.model):
            drawn, histograms = self.draw(self.model, self.read_batch(done))
        with self.writer.as_default(step=done + 1):
            for number, picture in enumerate(drawn):
                tf.summary.image(f"vis_images/{number}", picture[np.newaxis])
            for name, values in histograms.items():
                tf.summary.histogram(name, values)


@contextlib.contextmanager
def averages_kept(model):
    """Afterwards the batch norms' averages are, to the bit, what they were."""
    averages = model.moving_averages()
    before = [variable.numpy() for variable in averages]
    try:
        yield
    finally:
        for variable, value in zip(averages, before, strict=True):
            variable.assign(value)


def batch_reader(batches: Callable[[tf.Tensor], tf.data.Dataset]):
    """A function from a step's number to its batch, of one that gives the batches from there on.

    The pipeline is built once.
    """

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)], autograph=False)
    def read(step):
        return batches(step).take(1).get_single_element()

    return lambda step: read(tf.constant(step, tf.int64))
