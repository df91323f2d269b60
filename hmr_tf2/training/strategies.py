"""The devices that a run computes on, and how they share its batches."""

import json
import os
from collections.abc import Sequence

import tensorflow as tf

from hmr_tf2 import replicas
from hmr_tf2.config import RunConfig

TF_CONFIG_EXAMPLE = (
    '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'
)


def make_strategy(config: RunConfig) -> tf.distribute.Strategy:
    """The strategy that `--strategy` names; with several machines, waits for all of them.

    Call it before any other TensorFlow operation.

    Raises:
        ValueError: TF_CONFIG is missing or does not name a cluster.
    """
    if config.strategy == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if config.strategy == "multiworker":
        check_tf_config(os.environ.get("TF_CONFIG", ""))
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def check_tf_config(text: str) -> None:
    """Raises ValueError, with an example, if TF_CONFIG does not name workers and a task."""
    try:
        settings = json.loads(text)
        workers, task = settings["cluster"]["worker"], settings["task"]
        usable = task["type"] == "worker" and 0 <= int(task["index"]) < len(workers)
    except (ValueError, KeyError, TypeError):
        usable = False
    if not usable:
        raise ValueError(
            "--strategy=multiworker needs the environment variable TF_CONFIG, on each machine "
            f"with its own index, such as\n  TF_CONFIG='{TF_CONFIG_EXAMPLE}'\ngot {text!r}."
        )


def has_several_processes(strategy: tf.distribute.Strategy) -> bool:
    """Whether other processes compute parts of the same batch."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes what the run leaves."""
    return not has_several_processes(strategy) or strategy.cluster_resolver.task_id == 0


def check_batch_size(strategy: tf.distribute.Strategy, batch_size: int) -> None:
    """Raises ValueError if a batch cannot be split into equal parts."""
    if batch_size % strategy.num_replicas_in_sync:
        raise ValueError(
            "--batch_size is that of all devices together and must be a multiple of their number, "
            f"{strategy.num_replicas_in_sync}; got {batch_size}."
        )


def distribute(strategy: tf.distribute.Strategy, batches_of_shard) -> tf.data.Dataset:
    """Batches for `Model.fit`: every replica gets its own rows of each.

    Args:
        strategy: what `make_strategy` returned.
        batches_of_shard: (shard_index, num_shards) -> that part of every batch; the parts have
            equal sizes, and each process has one.
    """
    if strategy.num_replicas_in_sync == 1:
        return batches_of_shard(0, 1)

    # One pipeline per process feeds all replicas of that process, which take its elements in turn:
    # each batch is therefore cut into as many elements.
    def of_process(context):
        parts = strategy.num_replicas_in_sync // context.num_input_pipelines
        return batches_of_shard(context.input_pipeline_id, context.num_input_pipelines).flat_map(
            lambda batch: tf.data.Dataset.from_tensor_slices(
                {name: _split(rows, parts) for name, rows in batch.items()}
            )
        )

    return strategy.distribute_datasets_from_function(of_process)


def _split(rows, parts):
    return tf.reshape(rows, tf.concat([[parts, -1], tf.shape(rows)[1:]], axis=0))


class Agreement:
    """Lets all processes of a run do, after the same step, what any one of them asks for.

    >>> save, stop = agreement([save_wanted, stop_wanted])
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self.strategy = strategy
        self._total = tf.function(self._total_of_replicas, autograph=False)

    def __call__(self, wishes: Sequence[bool]) -> list[bool]:
        if not has_several_processes(self.strategy):
            return list(wishes)
        return [count > 0 for count in self._total(tf.constant(wishes, tf.float32)).numpy()]

    def _total_of_replicas(self, wishes):
        # The sum needs values that are placed on the replica's device, hence the copy.
        totals = self.strategy.run(lambda own: replicas.total(tf.identity(own)), args=(wishes,))
        return self.strategy.experimental_local_results(totals)[0]
