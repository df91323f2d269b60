"""HMR's training batches: crops from streams of image records, augmented, with mocap beside."""

import tensorflow as tf

from hmr_tf2.data import labels, mixture, parsing
from hmr_tf2.data.streams import Source, Stream
from hmr_tf2.data.training_data import Shard, StreamData, ordered_map
from hmr_tf2.hmr.config import TrainConfig
from tfrecords_tools import records
from tfrecords_tools.datasets import DATASETS_3D, find_files

# Part of every seed, so that images, mocap and augmentation are drawn independently.
STREAM_IMAGES, STREAM_MOCAP, STREAM_AUGMENTATION = range(3)


class TrainingData(StreamData):
    """The data sets of a run, as batches that `HMR.compute_losses` accepts.

    Raises:
        FileNotFoundError, ValueError: data sets are missing, empty or damaged, the weights do not
            match the data sets, or `use_3d_label` is set and no data set has 3-D labels.
    """

    def __init__(self, config: TrainConfig):
        sources, weights = image_sources(config)
        mocap = mocap_sources(config)
        files = find_files(
            config.data_dir, [name for source in (*sources, *mocap) for name in source.datasets]
        )
        self.images = Stream(config, STREAM_IMAGES, sources, weights, files)
        self.mocap = Stream(config, STREAM_MOCAP, mocap, [1], files) if mocap else None
        self.has_3d = [source.has_3d for source in sources]
        super().__init__(config, [self.images, self.mocap] if mocap else [self.images])

    def batches_of(self, steps: tf.data.Dataset, shard: Shard) -> tf.data.Dataset:
        def examples(step):
            augmentation = draw_augmentation(self.config, step)
            serialized, source = self.images.draw(shard.draws(step, shard.size))
            return serialized, source, *(shard.part_of(values) for values in augmentation)

        images = (
            ordered_map(steps, examples)
            .unbatch()
            .apply(lambda each: ordered_map(each, self._example))
            .batch(shard.size, drop_remainder=True)
        )
        if self.mocap is None:
            return images
        # The discriminator judges the bodies of all stages, so it gets as many from mocap.
        rows = shard.size * self.config.num_stage
        mocap = ordered_map(steps, lambda step: self._mocap_batch(shard.draws(step, rows)))
        return tf.data.Dataset.zip((images, mocap)).map(lambda image, mocap: {**image, **mocap})

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

        # One kind of records alone needs no branch in the graph.
        if len(set(self.has_3d)) == 1:
            return preprocess(self.has_3d[0])
        return tf.cond(
            tf.gather(self.has_3d, source),
            lambda: preprocess(True),
            lambda: labels.without_3d_labels(preprocess(False)),
        )

    def _mocap_batch(self, numbers):
        serialized, _ = self.mocap.draw(numbers)
        parsed = tf.io.parse_example(serialized, records.mocap_spec())
        return {"mocap_pose": parsed["pose"], "mocap_shape": parsed["shape"]}


def image_sources(config: TrainConfig) -> tuple[list[Source], list]:
    """The sources of pictures, and the weight of each.

    Without `dataset_weights` there are two sources that take turns, as in the original: all data
    sets with 3-D labels, and all without. With them, each data set is a source of its own.

    Raises:
        ValueError: the data sets and the settings do not match.
    """
    names = config.datasets
    if not names:
        raise ValueError("--datasets is empty; name at least one data set.")
    if len(set(names)) < len(names):
        raise ValueError(f"--datasets names a data set twice: {','.join(names)}.")
    weights = {}
    if config.dataset_weights:
        weights = mixture.parse_weights(config.dataset_weights, names)
        names = [name for name in names if weights[name]]
    with_3d = [name for name in names if name in DATASETS_3D and config.use_3d_label]
    without = [name for name in names if name not in with_3d]
    if config.use_3d_label and not with_3d:
        raise ValueError(
            f"--use_3d_label needs a data set with 3-D labels "
            f"({' or '.join(DATASETS_3D)}) among --datasets; "
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
    """The source of motion capture; an empty list without a discriminator.

    Raises:
        ValueError: there is a discriminator but no mocap data set.
    """
    if config.encoder_only:
        return []
    if not config.mocap_datasets:
        raise ValueError(
            "The discriminator needs motion capture: name at least one data set in "
            "--mocap_datasets, or pass --encoder_only to train without it."
        )
    return [Source(tuple(config.mocap_datasets), records.mocap_spec())]


def draw_augmentation(
    config: TrainConfig, step: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Scale [N], translation int32 [N, 2] and mirror [N] of batch `step`, given by the seed."""
    # Always drawn for the whole batch, of which each device takes its rows: the batch is the same
    # on any number of devices.
    size = config.batch_size
    key = tf.stack([tf.constant(config.seed, tf.int64), step])
    keys = [
        tf.random.experimental.stateless_fold_in(key, 8 * STREAM_AUGMENTATION + i)
        for i in range(3)
    ]
    scale = tf.random.stateless_uniform([size], keys[0], config.scale_min, config.scale_max)
    translation = (
        # An empty range of integers is an error.
        tf.zeros([size, 2], tf.int32)
        if config.trans_max == 0
        else tf.random.stateless_uniform(
            [size, 2], keys[1], -config.trans_max, config.trans_max, tf.int32
        )
    )
    return scale, translation, tf.random.stateless_uniform([size], keys[2]) < 0.5
