"""Training batches: pictures from streams of records, cropped and augmented, mocap beside.

Batch number t is a function of the settings, the files and t alone, whatever the number of
threads or of devices: a run continues at step t by asking for the batches from t on.
"""

import numpy as np
import tensorflow as tf

from hmr_tf2.config import TrainConfig
from hmr_tf2.data import mixture, parsing, record_files
from hmr_tf2.data.streams import Source, Stream
from tfrecords_tools import records

# Keeps the draws of images, mocap and augmentation apart from each other.
STREAM_IMAGES, STREAM_MOCAP, STREAM_AUGMENTATION = range(3)


class TrainingData:
    """The data sets of a run.

    Attributes:
        num_examples: examples of the image data sets.

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
        self.num_examples = len(self.images.reader.index)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which as many examples are drawn as there are (or the flag's number)."""
        return self.config.steps_per_epoch or max(1, self.num_examples // self.config.batch_size)

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
            return serialized, source, *(values[first : first + size] for values in augmentation)

        steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
        images = (
            _map(steps, examples)
            .unbatch()
            .apply(lambda each: _map(each, self._example))
            .batch(size, drop_remainder=True)
        )
        if self.mocap is None:
            return images.prefetch(tf.data.AUTOTUNE)
        mocap = _map(
            steps, lambda step: self._mocap_batch(numbers(step, size * self.config.num_stage))
        )
        return (
            tf.data.Dataset.zip((images, mocap))
            .map(lambda image, mocap: {**image, **mocap})
            .prefetch(tf.data.AUTOTUNE)
        )

    def _example(self, serialized, source, scale, translation, mirror):
        def preprocess(has_3d):
            return parsing.preprocess_example(
                serialized,
                has_3d=has_3d,
                scale=scale,
                translation=translation,
                mirror=mirror,
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
        Source(tuple(kind), records.image_3d_spec(), True)
        if kind[0] in with_3d
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
