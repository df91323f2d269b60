"""Reads back what a run wrote for TensorBoard."""

import contextlib
import os
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfrecords_tools.paths import path_of
from tfrecords_tools.pipelines import ends_promptly

SCALARS, IMAGES, HISTOGRAMS = "scalars", "images", "histograms"


def read_scalars(model_dir: str | os.PathLike) -> dict[str, list[tuple[int, float]]]:
    """Every scalar in a run's folder: tag -> (step, value), by step.

    A step that was run twice, because the run was stopped after its last checkpoint, has the
    value of the later file.
    """
    return _by_tag(
        (tag, step, _number(value))
        for kind, tag, step, value in _values(model_dir)
        if kind == SCALARS
    )


def read_pictures(model_dir: str | os.PathLike) -> dict[str, list[tuple[int, np.ndarray]]]:
    """Every picture: tag -> (step, RGB uint8 [H, W, 3]), by step."""
    return _by_tag(
        # The tensor holds width, height and the pictures as PNG files, of which we write one.
        (tag, step, tf.io.decode_png(tf.make_ndarray(value.tensor)[2]).numpy())
        for kind, tag, step, value in _values(model_dir)
        if kind == IMAGES
    )


def read_histograms(model_dir: str | os.PathLike) -> dict[str, list[tuple[int, np.ndarray]]]:
    """Every histogram: tag -> (step, float64 [B, 3]: left edge, right edge, count), by step."""
    return _by_tag(
        (tag, step, tf.make_ndarray(value.tensor))
        for kind, tag, step, value in _values(model_dir)
        if kind == HISTOGRAMS
    )


def _values(model_dir) -> Iterator[tuple]:
    """(kind, tag, step, value) of all files, the oldest first."""
    for path in sorted(path_of(model_dir).glob("events.out.tfevents.*")):
        for record in _whole_records(path):
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                is_scalar = value.WhichOneof("value") == "simple_value"
                kind = SCALARS if is_scalar else value.metadata.plugin_data.plugin_name
                yield kind, value.tag, event.step, value


def _whole_records(path):
    """The records before the place where a killed run stopped writing."""
    with contextlib.suppress(tf.errors.DataLossError):
        yield from ends_promptly(tf.data.TFRecordDataset(str(path))).as_numpy_iterator()


def _number(value) -> float:
    if value.WhichOneof("value") == "simple_value":
        return value.simple_value
    return float(tf.make_ndarray(value.tensor))


def _by_tag(found):
    tags: dict[str, dict] = {}
    for tag, step, value in found:
        tags.setdefault(tag, {})[step] = value
    return {tag: sorted(values.items(), key=lambda item: item[0]) for tag, values in tags.items()}
