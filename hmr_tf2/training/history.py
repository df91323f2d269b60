"""What a run wrote for TensorBoard, read back."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

SCALARS, IMAGES, HISTOGRAMS = "scalars", "images", "histograms"


def read_scalars(model_dir: str | os.PathLike) -> dict[str, list[tuple[int, float]]]:
    """Every scalar of a run's folder: tag to (step, value), by step.

    A step that was run twice, because the run was stopped after its last checkpoint, has the
    value of the later file.
    """
    return _by_tag(
        (tag, step, _number(value))
        for kind, tag, step, value in _values(model_dir)
        if kind == SCALARS
    )


def read_pictures(model_dir: str | os.PathLike) -> dict[str, list[tuple[int, np.ndarray]]]:
    """Every picture: tag to (step, RGB uint8 [H, W, 3]), by step."""
    return _by_tag(
        # Width, height, and the pictures of the tag as PNG: we write one each.
        (tag, step, tf.io.decode_png(tf.make_ndarray(value.tensor)[2]).numpy())
        for kind, tag, step, value in _values(model_dir)
        if kind == IMAGES
    )


def read_histograms(model_dir: str | os.PathLike) -> dict[str, list[tuple[int, np.ndarray]]]:
    """Every histogram: tag to (step, float64 [B, 3]: left and right edge, count), by step."""
    return _by_tag(
        (tag, step, tf.make_ndarray(value.tensor))
        for kind, tag, step, value in _values(model_dir)
        if kind == HISTOGRAMS
    )


def _values(model_dir) -> Iterator[tuple]:
    """(kind, tag, step, value) of all files, the oldest first."""
    for path in sorted(pathlib.Path(model_dir).glob("events.out.tfevents.*")):
        for record in _whole_records(path):
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                is_scalar = value.WhichOneof("value") == "simple_value"
                kind = SCALARS if is_scalar else value.metadata.plugin_data.plugin_name
                yield kind, value.tag, event.step, value


def _whole_records(path):
    """Those before the place where a run that was killed stopped writing."""
    with contextlib.suppress(tf.errors.DataLossError):
        yield from tf.data.TFRecordDataset(str(path)).as_numpy_iterator()


def _number(value) -> float:
    if value.WhichOneof("value") == "simple_value":
        return value.simple_value
    return float(tf.make_ndarray(value.tensor))


def _by_tag(found):
    tags: dict[str, dict] = {}
    for tag, step, value in found:
        tags.setdefault(tag, {})[step] = value
    return {tag: sorted(values.items(), key=lambda item: item[0]) for tag, values in tags.items()}
