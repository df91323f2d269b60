"""Streams of records: sources mixed by a pattern, each read in seeded permutations.

Draw n of a stream is a function of seed and n alone. Nothing is kept between draws, so any device
can make any part of any batch, and a run that continues needs no state of its data.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import tensorflow as tf

from hmr_tf2.config import RunConfig
from hmr_tf2.data import mixture, record_files
from hmr_tf2.data.record_index import index_files
from hmr_tf2.data.record_reader import RecordReader

# Rounds of the cipher that permutes the numbers of records; see `shuffled`.
CIPHER_STEPS = 16


@dataclasses.dataclass(frozen=True)
class Source:
    """Data sets whose records are shuffled together."""

    datasets: tuple[str, ...]
    spec: Mapping[str, tf.io.FixedLenFeature]
    has_3d: bool = False


class Stream:
    """Draws from sources: each round through a source is a new permutation of its records.

    Args:
        config: `data_dir`, `skip_corrupt` and `seed` are used.
        stream: number of this stream, which makes its draws differ from those of others.
        sources: the sources to draw from.
        weights: the share of each source.
        files: the record files of each data set.

    Raises:
        ValueError: a source has no records, or files are damaged or not as their manifests say.
    """

    def __init__(
        self,
        config: RunConfig,
        stream: int,
        sources: Sequence[Source],
        weights: Sequence[Fraction | int],
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
        # The sources lie end to end in one index: a record of source s is starts[s] + its number.
        ends = np.cumsum(self.sizes)
        self.starts = ends - self.sizes
        self.mixture = mixture.mixture(weights)
        self.reader = RecordReader(
            index, ends.tolist(), [source.spec for source in sources], config.skip_corrupt
        )
        # A key for each source, so that two sources of equal size have different permutations.
        seed = tf.constant([config.seed, stream], tf.int64)
        self.keys = np.array(
            [
                tf.random.experimental.stateless_fold_in(seed, source)
                for source in range(len(sources))
            ],
            np.int64,
        )

    def draw(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes draws `numbers`, int64 [N]: records, string [N], and their sources, int64 [N]."""
        record, source = self.locate(numbers)
        return self.reader(record), source

    def locate(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """For draws `numbers`, int64 [N]: the records' numbers in the index, and their sources."""
        source, draw = self.mixture.draws(numbers)
        position = shuffled(draw, tf.gather(self.sizes, source), tf.gather(self.keys, source))
        return tf.gather(self.starts, source) + position, source


def shuffled(draw: tf.Tensor, count: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Draws from `count` records: each round through them is a new permutation.

    Args:
        draw: int64 [N], numbers of the draws.
        count: int64 [N], number of records to draw from.
        key: int64 [N, 2], seeds.

    Returns:
        int64 [N], numbers of records, from 0.
    """
    rounds, position = draw // count, draw % count
    # A block cipher on [0, count), keyed by the seed and the round, is a permutation of which each
    # entry is computed alone: no list of millions of records is shuffled or kept.
    # The raw operation, since `tf.random.experimental.index_shuffle` takes no batch of keys in
    # 2.15, and its default of four cipher rounds is too few: of 65,536 records, one permutation
    # resembles the next (correlation 0.97).
    # The operation cannot shuffle a single record, so it is told that there are two.
    moved = tf.raw_ops.RandomIndexShuffle(
        index=position,
        seed=tf.concat([rounds[:, tf.newaxis], key], axis=1),
        max_index=tf.maximum(count, 2) - 1,
        rounds=CIPHER_STEPS,
    )
    return tf.where(count == 1, position, moved)
