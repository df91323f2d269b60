"""Reads records for evaluation: the original's crops in batches, with their ground truth."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from hmr_tf2.camera import crop_to_pixels
from hmr_tf2.data import labels, parsing
from hmr_tf2.data.record_index import RecordIndex
from hmr_tf2.data.training_data import ordered_map
from tfrecords_tools import records
from tfrecords_tools.pipelines import ends_promptly

_READ_AHEAD = 64  # records


def read_batches(
    index: RecordIndex, batches: Sequence[np.ndarray], *, has_3d: bool, img_size: int = 224
) -> Iterator[dict[str, np.ndarray]]:
    """Crops as the original evaluates them: scale 1, around `image/center`, no jitter, no mirror.

    Source: akanazawa/hmr src/benchmark/evaluate_h36m.py (get_data). Records are read and decoded
    ahead, across the boundaries of batches.

    Args:
        index: where the records are.
        batches: for each batch int [N], the numbers of its records; N may differ.
        has_3d: whether they have the 3-D features.
        img_size: side S of a crop.

    Yields:
        for each batch `image` float32 [N, S, S, 3] in [-1, 1]; `keypoints` float32 [N, 19, 3],
        x, y in pixels of the crop and visibility; `filename` object [N]; with `has_3d` also
        `joints3d` float32 [N, 14, 3] in metres and `activity` int64 [N], 0 if it is not known.

    Raises:
        ValueError: a record is damaged; the message names its file.
    """

    def read(number):
        record = tf.numpy_function(
            lambda n: np.array(index.read(n), object), [number], tf.string, stateful=False
        )
        return _example(tf.ensure_shape(record, []), has_3d, img_size)

    numbers = np.concatenate([np.zeros(0, np.int64), *batches])
    examples = ordered_map(tf.data.Dataset.from_tensor_slices(numbers), read)
    rows = ends_promptly(examples.prefetch(_READ_AHEAD)).as_numpy_iterator()
    for batch in batches:
        try:
            taken = [next(rows) for _ in batch]
        except tf.errors.OpError as error:
            raise _named(error, index, batch, has_3d, img_size) from error
        yield {name: np.stack([row[name] for row in taken]) for name in taken[0]}


def in_batches(numbers: np.ndarray, size: int) -> list[np.ndarray]:
    """Splits `numbers` into pieces of `size`; the last one holds what is left."""
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def _named(error, index, numbers, has_3d, img_size) -> ValueError:
    """An error that says which of the records `numbers` is damaged."""
    for number in numbers:
        try:
            _example(tf.constant(index.read(number)), has_3d, img_size)
        except (ValueError, tf.errors.OpError) as cause:
            return ValueError(
                f"{index.where(number)} is damaged: {str(cause).splitlines()[0]}\nConvert the "
                "data set again; `python -m tfrecords_tools.verify` on its folder tells more."
            )
    return ValueError(str(error))


def _example(serialized, has_3d, img_size):
    example = parsing.preprocess_example(
        serialized, has_3d=has_3d, scale=1.0, translation=[0, 0], mirror=False, img_size=img_size
    )
    label = example["label"]
    pixels = crop_to_pixels(label[:, :2], img_size)
    spec = records.image_3d_spec() if has_3d else records.image_spec()
    names = ["image/filename"] + ["meta/activity"] * has_3d
    features = tf.io.parse_single_example(serialized, {name: spec[name] for name in names})
    result = {
        "image": example["image"],
        "keypoints": tf.concat([pixels, label[:, 2:]], axis=1),
        "filename": features["image/filename"],
    }
    if has_3d:
        # As in the record, since nothing was mirrored.
        result["joints3d"] = labels.split_label(example["label3d"]).joints
        result["activity"] = features["meta/activity"]
    return result
