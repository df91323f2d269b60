"""Training batches: records drawn by seeded permutations, mixed, augmented, mocap beside.

Batch number t is a function of the settings, the files and t alone, whatever the number of
threads or of devices: a run continues at step t by asking for the batches from t on.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from hmr_tf2.config import TrainConfig
from hmr_tf2.data import mixture, parsing, record_files
from hmr_tf2.data.record_index import index_files
from hmr_tf2.data.record_reader import RecordReader
from tfrecords_tools import records

# Keeps the draws of images, mocap and augmentation apart from each other.
STREAM_IMAGES, STREAM_MOCAP, STREAM_AUGMENTATION = range(3)


class TrainingData:
    """The data sets of a run.

    Attributes:
        num_images: examples of the image data sets.

    Raises:
        FileNotFoundError, ValueError: data sets are missing, empty or damaged, weights or sets do
            not fit each other, or `use_3d_label` is set and no data set has 3-D labels.
    """

    def __init__(self, config: TrainConfig):
        sources, weights = image_sources(config)
        mocap = mocap_sources(config)
        files = record_files.find_files(
            config.data_dir, [name for source in (*sources, *mocap) for name in source.datasets]
        )
        self.config = config
        self.images = Stream(config, STREAM_IMAGES, sources, weights, files)
        self.mocap = Stream(config, STREAM_MOCAP, mocap, [1], files) if mocap else None
        self.has_3d = [source.has_3d for source in sources]
        self.num_images = len(self.images.reader.index)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which as many examples are drawn as there are (or the flag's number)."""
        return self.config.steps_per_epoch or max(1, self.num_images // self.config.batch_size)

    @property
    def files(self) -> list[str]:
        """Every record file that is read."""
        return [path for stream in self._streams for path in stream.reader.index.paths]

    def records(self, step: int) -> list[str]:
        """File and byte of each picture of batch `step`; `skip_corrupt` may take the next one."""
        size = self.config.batch_size
        found, _ = self.images.locate(tf.range(step * size, (step + 1) * size, dtype=tf.int64))
        return [self.images.reader.index.where(record) for record in found.numpy()]

    @property
    def num_corrupt(self) -> int:
        """Corrupt records that `skip_corrupt` passed over so far."""
        return sum(stream.reader.num_corrupt for stream in self._streams)

    def explain(self, error: Exception) -> ValueError | OSError | None:
        """Why the batches ended in `error`: names the file; None if it is not about a record."""
        reasons = (stream.reader.explain(error) for stream in self._streams)
        return next((reason for reason in reasons if reason), None)

    @property
    def _streams(self):
        return [self.images, self.mocap] if self.mocap else [self.images]

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
        first = shard_index * size

        def numbers(step, rows):
            """Which draws make this shard of batch `step`, `rows` of them."""
            return (step * num_shards + shard_index) * rows + tf.range(rows, dtype=tf.int64)

        def examples(step):
            augmentation = draw_augmentation(self.config, step)
            serialized, source = self.images.draw(numbers(step, size))
            return serialized, source, *(values[first:first + size] for values in augmentation)

        steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
        images = (
            _map(steps, examples).unbatch().apply(lambda each: _map(each, self._example))
            .batch(size, drop_remainder=True)
        )
        if self.mocap is None:
            return images.prefetch(tf.data.AUTOTUNE)
        mocap = _map(
            steps, lambda step: self._mocap_batch(numbers(step, size * self.config.num_stage))
        )
        return tf.data.Dataset.zip((images, mocap)).map(
            lambda image, mocap: {**image, **mocap}
        ).prefetch(tf.data.AUTOTUNE)

    def _example(self, serialized, source, scale, translation, mirror):
        def preprocess(has_3d):
            return parsing.preprocess_example(
                serialized, has_3d=has_3d, scale=scale, translation=translation, mirror=mirror,
                img_size=self.config.img_size,
            )

        if len(set(self.has_3d)) == 1:
            return preprocess(self.has_3d[0])
        return tf.cond(
            tf.gather(self.has_3d, source),
            lambda: preprocess(True),
            lambda: parsing.without_3d_labels(preprocess(False)),
        )

    def _mocap_batch(self, numbers):
        serialized, _ = self.mocap.draw(numbers)
        parsed = tf.io.parse_example(serialized, records.mocap_spec())
        return {"mocap_pose": parsed["pose"], "mocap_shape": parsed["shape"]}


@dataclasses.dataclass(frozen=True)
class Source:
    """Data sets whose records are shuffled together."""

    datasets: tuple[str, ...]
    spec: Mapping[str, tf.io.FixedLenFeature]
    has_3d: bool = False


class Stream:
    """Draws from sources: each round through a source is a new permutation of its records."""

    def __init__(
        self,
        config: TrainConfig,
        stream: int,
        sources: Sequence[Source],
        weights: Sequence,
        files: Mapping[str, Sequence[str]],
    ):
        paths = [[path for name in source.datasets for path in files[name]] for source in sources]
        index = index_files([path for part in paths for path in part], config.skip_corrupt)
        in_file = index.counts()
        record_files.check_counts(in_file, {damage.path for damage in index.damage})
        self.sizes = np.array([sum(in_file[path] for path in part) for part in paths])
        for source, size in zip(sources, self.sizes, strict=True):
            if not size:
                raise ValueError(
                    f"The records of {', '.join(source.datasets)} in {config.data_dir} are empty."
                )
        ends = np.cumsum(self.sizes)
        self.starts = ends - self.sizes
        self.mixture = mixture.mixture(weights)
        self.reader = RecordReader(
            index, ends.tolist(), [source.spec for source in sources], config.skip_corrupt
        )
        self.keys = np.array([
            tf.random.experimental.stateless_fold_in([config.seed, stream], source)
            for source in range(len(sources))
        ], np.int64)

    def draw(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws `numbers` int64 [N]: records as strings [N] and their sources int64 [N]."""
        record, source = self.locate(numbers)
        return self.reader(record), source

    def locate(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Of draws `numbers` int64 [N]: which records of the index, and their sources."""
        source, draw = self.mixture.draws(numbers)
        position = shuffled(draw, tf.gather(self.sizes, source), tf.gather(self.keys, source))
        return tf.gather(self.starts, source) + position, source


def image_sources(config: TrainConfig) -> tuple[list[Source], list]:
    """The sources of pictures, and the weight of each.

    Without `dataset_weights`, as in the original: all sets with 3-D labels and all without, in
    turn. With them, each set on its own.

    Raises:
        ValueError: data sets and settings do not fit each other.
    """
    names = config.datasets
    if not names:
        raise ValueError("--datasets names no data set.")
    if len(set(names)) < len(names):
        raise ValueError(f"--datasets names a data set twice: {','.join(names)}.")
    weights = {}
    if config.dataset_weights:
        weights = mixture.parse_weights(config.dataset_weights, names)
        names = [name for name in names if weights[name]]
    with_3d = [name for name in names if name in records.DATASETS_3D and config.use_3d_label]
    without = [name for name in names if name not in with_3d]
    if config.use_3d_label and not with_3d:
        raise ValueError(
            f"--use_3d_label needs a data set with 3-D labels "
            f"({' or '.join(records.DATASETS_3D)}) among --datasets; "
            f"got {','.join(names)}. Add one, or pass --nouse_3d_label."
        )
    if weights:
        kinds, shares = [[name] for name in names], [weights[name] for name in names]
    else:
        kinds = [kind for kind in (with_3d, without) if kind]
        shares = [1] * len(kinds)
    return [
        Source(tuple(kind), records.image_3d_spec(), True) if kind[0] in with_3d
        else Source(tuple(kind), records.image_spec())
        for kind in kinds
    ], shares


def mocap_sources(config: TrainConfig) -> list[Source]:
    """The source of motion capture; none without a discriminator.

    Raises:
        ValueError: there is a discriminator, and no mocap data set.
    """
    if config.encoder_only:
        return []
    if not config.mocap_datasets:
        raise ValueError(
            "The discriminator needs motion capture: name some in --mocap_datasets, "
            "or pass --encoder_only."
        )
    return [Source(tuple(config.mocap_datasets), records.mocap_spec())]


def training_batches(config: TrainConfig, start_step: int = 0) -> tf.data.Dataset:
    """Endless training batches of the data sets in `config.data_dir`; see `TrainingData`."""
    return TrainingData(config).batches(start_step)


def shuffled(draw: tf.Tensor, count: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Draws from `count` records: each round through them is a new permutation.

    Args:
        draw: int64 [N], numbers of the draws.
        count: int64 [N], of the records drawn from.
        key: int64 [N, 2], seeds.

    Returns:
        int64 [N], records, from 0.
    """
    rounds, position = draw // count, draw % count
    # `tf.random.experimental.index_shuffle` would add the third number itself, but in 2.15 it
    # takes no batch of keys. The operation cannot shuffle one record, so it gets two.
    moved = tf.raw_ops.RandomIndexShuffle(
        index=position, seed=tf.concat([rounds[:, tf.newaxis], key], axis=1),
        max_index=tf.maximum(count, 2) - 1, rounds=4,
    )
    return tf.where(count == 1, position, moved)


def draw_augmentation(
    config: TrainConfig, step: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Scale [N], translation int32 [N, 2] and mirror [N] of batch `step`, from the seed alone."""
    size = config.batch_size
    key = tf.stack([tf.constant(config.seed, tf.int64), step])
    keys = [
        tf.random.experimental.stateless_fold_in(key, 8 * STREAM_AUGMENTATION + i)
        for i in range(3)
    ]
    scale = tf.random.stateless_uniform([size], keys[0], config.scale_min, config.scale_max)
    translation = (
        tf.zeros([size, 2], tf.int32)
        if config.trans_max == 0
        else tf.random.stateless_uniform(
            [size, 2], keys[1], -config.trans_max, config.trans_max, tf.int32
        )
    )
    return scale, translation, tf.random.stateless_uniform([size], keys[2]) < 0.5


def _map(dataset, function):
    return dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
