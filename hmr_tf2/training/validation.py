"""Measures errors on people that are not trained on, at the end of each epoch."""

import json
import os
import time

import tf_keras as keras
from absl import logging

from hmr_tf2.training import provenance
from hmr_tf2.training.summaries import EventFiles
from hmr_tf2.training.system import Validation
from tfrecords_tools.files import write_text
from tfrecords_tools.paths import path_of

PREFIX = "val_"
CURVE_FILE = "validation.json"


class Validate(keras.callbacks.Callback):
    """Runs a `Validation` at the end of each epoch, for later callbacks and TensorBoard.

    Its errors are added to `logs`, and thereby to Keras' history. TensorBoard's tags begin with
    `val/` where the names of the errors begin with `val_`.
    """

    def __init__(self, files: EventFiles, validation: Validation):
        super().__init__()
        self.files = files
        self.validation = validation

    def on_epoch_end(self, epoch, logs=None):
        start = time.perf_counter()
        errors = self.validation.errors_of(self.model)
        logs.update(errors)
        self.files.scalars(
            {f"val/{name.removeprefix(PREFIX)}": value for name, value in errors.items()},
            int(self.model.optimizer.iterations.numpy()),
        )
        logging.info(
            "Validation after epoch %d (%.0f s): %s",
            epoch + 1,
            time.perf_counter() - start,
            self.validation.as_text(errors),
        )


class Curve(keras.callbacks.Callback):
    """Keeps the errors of all epochs in `validation.json`; stands behind all that use them.

    So a step that the file has was validated to the end, whatever came afterwards.
    """

    def __init__(self, folder: str | os.PathLike):
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch, logs=None):
        step = int(self.model.optimizer.iterations.numpy())
        errors = {n: float(value) for n, value in logs.items() if n.startswith(PREFIX)}
        # A run that went back to an older checkpoint measures the later epochs anew.
        earlier = [entry for entry in read_curve(self.folder) if entry["step"] < step]
        curve = [*earlier, {"step": step, "epoch": epoch + 1, **errors}]
        write_text(path_of(self.folder, CURVE_FILE), json.dumps(curve, indent=1) + "\n")


def read_curve(folder: str | os.PathLike) -> list[dict[str, float]]:
    """The errors of each epoch with its `step` and `epoch`, oldest first; empty without the file.

    Raises:
        ValueError: `validation.json` is damaged.
    """
    path = path_of(folder, CURVE_FILE)
    if not path.exists():
        return []
    with provenance.only_documents(path):
        curve = json.loads(path.read_text(encoding="utf-8"))
        return sorted(curve, key=lambda entry: int(entry["step"]))
