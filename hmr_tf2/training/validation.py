"""Errors on people that are not trained on, at the end of each epoch."""

import time
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tf_keras as keras
from absl import logging

from hmr_tf2.evaluation.validation import Validation
from hmr_tf2.training.summaries import write_scalars

PREFIX = "val_"
# Named as in the logs, and how they are shown.
METRICS = {
    "keypoint_px": "2-D {:.2f} px",
    "mpjpe_mm": "MPJPE {:.1f} mm",
    "pa_mpjpe_mm": "PA-MPJPE {:.1f} mm",
}


class Validate(keras.callbacks.Callback):
    """Runs a `Validation` at the end of each epoch, for callbacks behind it and TensorBoard.

    `logs`, and with them Keras' history, get `val_<data set>_<metric>` and, over the data sets
    that have it, the mean `val_<metric>`; metrics are `keypoint_px`, `mpjpe_mm`, `pa_mpjpe_mm`.
    TensorBoard's tags begin with `val/`.
    """

    def __init__(self, writer: tf.summary.SummaryWriter, validation: Validation):
        super().__init__()
        self.writer = writer
        self.validation = validation

    def on_epoch_end(self, epoch, logs=None):
        start = time.perf_counter()
        errors = self.validation.run(self.model.predict_on_batch)
        errors |= means(errors)
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
            as_text(errors),
        )


def means(errors: Mapping[str, float]) -> dict[str, float]:
    """Of `val_<data set>_<metric>`: `val_<metric>`, each data set counting the same."""
    found: dict[str, list[float]] = {}
    for name, value in errors.items():
        found.setdefault(_metric(name), []).append(value)
    return {f"{PREFIX}{metric}": float(np.mean(values)) for metric, values in found.items()}


def as_text(errors: Mapping[str, float]) -> str:
    """`h36m 2-D 6.02 px, MPJPE 88.1 mm, PA-MPJPE 57.0 mm; lsp 2-D 7.11 px`; means left out."""
    shown: dict[str, list[str]] = {}
    for name, value in errors.items():
        metric = _metric(name)
        dataset = name.removeprefix(PREFIX).removesuffix(metric).rstrip("_")
        if dataset:
            shown.setdefault(dataset, []).append(METRICS[metric].format(value))
    return "; ".join(f"{dataset} {', '.join(texts)}" for dataset, texts in shown.items())


def _metric(name):
    # The longest, for one is the end of another.
    return max((metric for metric in METRICS if name.endswith(metric)), key=len)
