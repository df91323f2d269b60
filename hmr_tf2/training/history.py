"""The losses of a run, read back from its TensorBoard files."""

import os
import pathlib

import tensorflow as tf


def read_scalars(model_dir: str | os.PathLike) -> dict[str, list[tuple[int, float]]]:
    """Every scalar of a run's folder: tag to (step, value), by step.

    A step that was run twice, because the run was stopped after its last checkpoint, has the
    value of the later file.
    """
    scalars: dict[str, dict[int, float]] = {}
    for path in sorted(pathlib.Path(model_dir).glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                number = float(tf.make_ndarray(value.tensor))
                scalars.setdefault(value.tag, {})[event.step] = number
    return {tag: sorted(values.items()) for tag, values in scalars.items()}
