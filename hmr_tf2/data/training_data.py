"""Makes the batches of a run from streams of records; shared by the data of every system.

Batch number t is a function of the settings, the files and t alone, whatever the number of
threads or devices. So a run continues at step t by asking for the batches from t on.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from hmr_tf2.config import RunConfig
from hmr_tf2.data.streams import Stream
from tfrecords_tools.pipelines import ends_promptly

# Batches that are ready before they are asked for.
READ_AHEAD = 4


@dataclasses.dataclass(frozen=True)
class Shard:
    """One of `count` equal parts of every batch, made of consecutive examples.

    Attributes:
        index: number of this part, from 0.
        count: number of parts; laid end to end they are the batch.
        size: number of examples in one part.
    """

    index: int
    count: int
    size: int

    def draws(self, step: tf.Tensor, rows: int) -> tf.Tensor:
        """int64 [rows]: the draws of a stream that make up this part of batch `step`."""
        return (step * self.count + self.index) * rows + tf.range(rows, dtype=tf.int64)

    def part_of(self, values: tf.Tensor) -> tf.Tensor:
        """This part of values [N, ...] that were drawn for the whole batch."""
        first = self.index * self.size
        return values[first : first + self.size]


class StreamData:
    """Batches from streams of records; a subclass says in `batches_of` how one is made.

    Args:
        config: settings of the run.
        streams: streams of records; the first gives one example for each place in the batch.

    Attributes:
        num_examples: number of examples that an epoch draws from.
    """

    def __init__(self, config: RunConfig, streams: Sequence[Stream]):
        self.config = config
        self._streams = streams
        self.num_examples = len(streams[0].reader.index)

    def batches_of(self, steps: tf.data.Dataset, shard: Shard) -> tf.data.Dataset:
        """Maps each of `steps` to this shard of the batch with that number."""
        raise NotImplementedError

    def batches(
        self, start_step: int = 0, shard_index: int = 0, num_shards: int = 1
    ) -> tf.data.Dataset:
        """Endless batches for the training step, from step `start_step` on.

        Args:
            start_step: number of the first batch.
            shard_index: which of the `num_shards` equal parts of each batch to read.
            num_shards: number of parts; laid end to end they are the whole batch.

        Raises:
            ValueError: `batch_size` cannot be split into `num_shards` equal parts.
        """
        size = self.config.batch_size
        if size % num_shards:
            raise ValueError(
                f"--batch_size is that of all devices together and must be a multiple of their "
                f"number, {num_shards}; got {size}."
            )
        if not 0 <= shard_index < num_shards:
            raise ValueError(
                f"shard_index must be at least 0 and below num_shards; got {shard_index} of "
                f"{num_shards}."
            )
        steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
        shard = Shard(shard_index, num_shards, size // num_shards)
        return ends_promptly(self.batches_of(steps, shard).prefetch(READ_AHEAD))

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps that draw as many examples as there are, or what the flag says."""
        return self.config.steps_per_epoch or max(1, self.num_examples // self.config.batch_size)

    @property
    def files(self) -> list[str]:
        """Every record file that is read."""
        return [path for stream in self._streams for path in stream.reader.index.paths]

    def record_names(self, step: int) -> list[str]:
        """File and byte of each example of batch `step`; `skip_corrupt` may use the next one."""
        size, examples = self.config.batch_size, self._streams[0]
        found, _ = examples.locate(tf.range(step * size, (step + 1) * size, dtype=tf.int64))
        return [examples.reader.index.where(record) for record in found.numpy()]

    @property
    def num_corrupt(self) -> int:
        """Number of corrupt records that `skip_corrupt` has skipped so far."""
        return sum(stream.reader.num_corrupt for stream in self._streams)

    def explain(self, error: Exception) -> ValueError | OSError | None:
        """Why the batches ended in `error`, naming the file; None if not because of a record."""
        reasons = (stream.reader.explain(error) for stream in self._streams)
        return next((reason for reason in reasons if reason), None)


def ordered_map(dataset: tf.data.Dataset, function: Callable) -> tf.data.Dataset:
    """`dataset.map` on all cores (16 at most), with the results in order."""
    function = tf.autograph.experimental.do_not_convert(function)
    return dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
