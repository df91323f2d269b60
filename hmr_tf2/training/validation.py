"""Measures errors on people that are not trained on, at the end of each epoch."""

import time

import tensorflow as tf
import tf_keras as keras
from absl import logging

from hmr_tf2.training.summaries import write_scalars
from hmr_tf2.training.system import Validation

PREFIX = "val_"


class Validate(keras.callbacks.Callback):
    """Runs a `Validation` at the end of each epoch, for later callbacks and TensorBoard.

    Its errors are added to `logs`, and thereby to Keras' history. TensorBoard's tags begin with
    `val/` where the names of the errors begin with `val_`.
    """

    def __init__(self, writer: tf.summary.SummaryWriter, validation: Validation):
        super().__init__()
        self.writer = writer
        self.validation = validation

    def on_epoch_end(self, epoch, logs=None):
        start = time.perf_counter()
        errors = self.validation.errors_of(self.model)
        logs.update(errors)
        write_scalars(
            self.writer,
            {f"val/{name.removeprefix(PREFIX)}": value for name, value in errors.items()},
            int(self.model.optimizer.iterations.numpy()),
        )
        logging.info(
            "Validation after epoch %d (%.0f s): %s",
            epoch + 1,
            time.perf_counter() - start,
            self.validation.as_text(errors),
        )
