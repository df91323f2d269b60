"""Training batches: records drawn by seeded permutations, augmented, mixed 1:1, mocap beside.

Batch number t is a function of the settings and of t alone, whatever the number of threads: a run
continues at step t by asking for the batches from t on.
"""

import glob
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from hmr_tf2.config import TrainConfig
from hmr_tf2.data import parsing
from hmr_tf2.data.record_index import RecordIndex, index_files
from tfrecords_tools import manifest, records

# Keeps the draws of the streams apart from each other.
STREAM_3D, STREAM_2D, STREAM_MOCAP, STREAM_AUGMENTATION = range(4)


def find_files(data_dir: str, dataset: str) -> list[str]:
    """The training shards of a data set, sorted.

    Raises:
        FileNotFoundError: there are none; tells what is there and how to make them.
    """
    if not data_dir:
        raise ValueError("--data_dir is needed: the folder that convert_datasets wrote.")
    found = {
        name: sorted(glob.glob(os.path.join(glob.escape(data_dir), patterns.train)))
        for name, patterns in records.RECORD_FILES.items()
    }
    if not found[dataset]:
        present = [name for name, files in found.items() if files]
        raise FileNotFoundError(
            f"No records of {dataset!r}: nothing matches "
            f"{os.path.join(data_dir, records.RECORD_FILES[dataset].train)}.\n"
            f"Present in {data_dir}: {', '.join(present) or 'nothing'}.\n"
            "Write them with `python -m hmr_tf2.convert_datasets`, or leave the set out of "
            "--datasets or --mocap_datasets."
        )
    return found[dataset]


def index_datasets(data_dir: str, datasets: Sequence[str]) -> RecordIndex | None:
    """Indexes the records of the data sets, missing ones named together; None for no data set.

    Raises:
        FileNotFoundError: a data set has no files.
        ValueError: its files hold no record, or are damaged.
    """
    if not datasets:
        return None
    files = [path for name in datasets for path in find_files(data_dir, name)]
    index, promised = index_files(files), manifest.count_examples(files)
    if not len(index):
        raise ValueError(f"The records of {', '.join(datasets)} in {data_dir} are empty.")
    if len(index) != promised:
        raise ValueError(
            f"The records of {', '.join(datasets)} in {data_dir} are {len(index)}, their "
            f"manifests say {promised}. `python -m tfrecords_tools.verify {data_dir}` tells more."
        )
    return index


class TrainingData:
    """The indexed data sets of a run.

    Attributes:
        num_images: examples of the image data sets, 3-D and 2-D.

    Raises:
        FileNotFoundError, ValueError: a data set is missing, empty or damaged, or `use_3d_label`
            is set and no data set has 3-D labels.
    """

    def __init__(self, config: TrainConfig):
        names_3d = [name for name in config.datasets if name in records.DATASETS_3D]
        names_2d = [name for name in config.datasets if name not in records.DATASETS_3D]
        if config.use_3d_label and not names_3d:
            raise ValueError(
                f"--use_3d_label needs a data set with 3-D labels "
                f"({' or '.join(records.DATASETS_3D)}) among --datasets; "
                f"got {','.join(config.datasets)}. Add one, or pass --nouse_3d_label."
            )
        if not config.datasets:
            raise ValueError("--datasets names no data set.")
        if not config.encoder_only and not config.mocap_datasets:
            raise ValueError(
                "The discriminator needs motion capture: name some in --mocap_datasets, "
                "or pass --encoder_only."
            )
        if not config.use_3d_label:
            names_2d, names_3d = names_2d + names_3d, []
        self.config = config
        self.index_3d = index_datasets(config.data_dir, names_3d)
        self.index_2d = index_datasets(config.data_dir, names_2d)
        self.index_mocap = (
            None if config.encoder_only
            else index_datasets(config.data_dir, config.mocap_datasets)
        )
        self.num_images = sum(len(index) for index in (self.index_3d, self.index_2d) if index)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which as many examples are drawn as there are (or the flag's number)."""
        return self.config.steps_per_epoch or max(1, self.num_images // self.config.batch_size)

    def batches(
        self, start_step: int = 0, shard_index: int = 0, num_shards: int = 1
    ) -> tf.data.Dataset:
        """Endless batches for `HMR.train_step`, from step `start_step` on.

        Args:
            start_step: number of the first batch.
            shard_index: which of `num_shards` equal parts of each batch to read: of the pictures
                and of the mocap rows, the consecutive part with this number.
            num_shards: parts of each batch; laid end to end they are the whole batch.

        Raises:
            ValueError: `batch_size` cannot be split into `num_shards` equal parts.
        """
        size = self.config.batch_size
        if size % num_shards:
            raise ValueError(
                f"--batch_size, of all devices together, must be a multiple of their number, "
                f"{num_shards}; got {size}."
            )
        if not 0 <= shard_index < num_shards:
            raise ValueError(f"There is no shard {shard_index} of {num_shards}.")
        size //= num_shards

        def numbers(step, rows):
            """Which draws make this shard of batch `step`, `rows` of them."""
            return (step * num_shards + shard_index) * rows + tf.range(rows, dtype=tf.int64)

        steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
        images = (
            steps.flat_map(lambda step: tf.data.Dataset.from_tensor_slices(numbers(step, size)))
            .map(self._example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            .batch(size, drop_remainder=True)
        )
        if self.index_mocap is None:
            return images.prefetch(tf.data.AUTOTUNE)
        mocap = steps.map(
            lambda step: self._mocap_batch(numbers(step, size * self.config.num_stage)),
            num_parallel_calls=tf.data.AUTOTUNE, deterministic=True,
        )
        return tf.data.Dataset.zip((images, mocap)).map(
            lambda image, mocap: {**image, **mocap}
        ).prefetch(tf.data.AUTOTUNE)

    def _example(self, number):
        """Example `number` of the run: in turn one with 3-D labels and one without."""
        if self.index_3d is None:
            return self._draw(self.index_2d, STREAM_2D, number, number)
        if self.index_2d is None:
            return self._draw(self.index_3d, STREAM_3D, number, number)
        turn = number // 2
        return tf.cond(
            number % 2 == 0,
            lambda: self._draw(self.index_3d, STREAM_3D, turn, number),
            lambda: parsing.without_3d_labels(
                self._draw(self.index_2d, STREAM_2D, turn, number)
            ),
        )

    def _draw(self, index, stream, turn, number):
        config = self.config
        serialized = read_record(index, shuffled(turn, len(index), config.seed, stream))
        scale, translation, mirror = draw_augmentation(config, number)
        return parsing.preprocess_example(
            serialized, has_3d=stream == STREAM_3D, scale=scale, translation=translation,
            mirror=mirror, img_size=config.img_size,
        )

    def _mocap_batch(self, numbers):
        rows = tf.map_fn(
            lambda n: shuffled(n, len(self.index_mocap), self.config.seed, STREAM_MOCAP), numbers
        )
        parsed = tf.io.parse_example(
            read_records(self.index_mocap, rows), records.mocap_spec()
        )
        return {"mocap_pose": parsed["pose"], "mocap_shape": parsed["shape"]}


def training_batches(config: TrainConfig, start_step: int = 0) -> tf.data.Dataset:
    """Endless training batches of the data sets in `config.data_dir`; see `TrainingData`."""
    return TrainingData(config).batches(start_step)


def shuffled(number: tf.Tensor, count: int, seed: int, stream: int) -> tf.Tensor:
    """Draw `number` from `count` records: each round through them is a new permutation."""
    epoch, position = number // count, number % count
    if count == 1:
        return tf.zeros_like(position)
    key = tf.random.experimental.stateless_fold_in(
        tf.stack([tf.constant(seed, tf.int64), epoch]), stream
    )
    return tf.random.experimental.index_shuffle(
        position, key, tf.constant(count - 1, tf.int64)
    )


def draw_augmentation(config: TrainConfig, number: tf.Tensor):
    """Scale [], translation int32 [2] and mirror [] of example `number`, from the seed alone."""
    seed = tf.stack([tf.constant(config.seed, tf.int64), number])
    keys = [
        tf.random.experimental.stateless_fold_in(seed, 8 * STREAM_AUGMENTATION + i)
        for i in range(3)
    ]
    scale = tf.random.stateless_uniform([], keys[0], config.scale_min, config.scale_max)
    translation = (
        tf.zeros([2], tf.int32)
        if config.trans_max == 0
        else tf.random.stateless_uniform(
            [2], keys[1], -config.trans_max, config.trans_max, tf.int32
        )
    )
    return scale, translation, tf.random.stateless_uniform([], keys[2]) < 0.5


def read_record(index: RecordIndex, number: tf.Tensor) -> tf.Tensor:
    """Record `number` as a string []."""
    serialized = tf.numpy_function(
        lambda n: np.array(index.read(n), object), [number], tf.string, stateful=False
    )
    return tf.ensure_shape(serialized, [])


def read_records(index: RecordIndex, numbers: tf.Tensor) -> tf.Tensor:
    """The records `numbers` [R] as strings [R]."""
    serialized = tf.numpy_function(
        lambda ns: np.array([index.read(n) for n in ns], object), [numbers], tf.string,
        stateful=False,
    )
    return tf.ensure_shape(serialized, numbers.shape)
