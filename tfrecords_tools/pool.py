"""Runs a function over items in several processes and gives the results back in order."""

import collections
import concurrent.futures
import itertools
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import cv2

from tfrecords_tools import quiet_import

# How many chunks per worker are under way or wait to be written: this bounds the memory.
_CHUNKS_PER_WORKER = 2

# A pool takes seconds to start (each worker imports TensorFlow), so work of fewer chunks than this
# is done in this process. Items that come one at a time are long ones, such as videos.
_MIN_CHUNKS = 8


class Mapper(Protocol):
    """Anything that applies a function to many items: the processes below, or a cluster."""

    def map(
        self, function: Callable, items: Sequence[Any], start: int = 0, at_once: int = 8
    ) -> Iterator[Any]:
        """Yields `function(item)` for `items[start:]`, in their order."""


class Workers:
    """A pool of processes that starts with the first work; a `count` of 1 is this process alone.

    >>> with Workers(1) as workers:
    ...     list(workers.map(len, ["a", "bc"]))
    [1, 2]
    """

    def __init__(self, count: int):
        self.count = count or available_cores()
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def map(
        self, function: Callable, items: Sequence[Any], start: int = 0, at_once: int = 8
    ) -> Iterator[Any]:
        """Yields `function(item)` for `items[start:]`, in their order.

        Results do not depend on the number of workers. At most a few chunks of `at_once` items
        per worker are held at a time, however many items there are.
        """
        least = _MIN_CHUNKS * at_once if at_once > 1 and self._pool is None else 1
        if self.count == 1 or len(items) - start <= least:
            return map(function, itertools.islice(_each(items), start, None))
        return self._map_in_pool(function, items, start, at_once)

    def _map_in_pool(
        self, function: Callable, items: Sequence[Any], start: int, at_once: int
    ) -> Iterator[Any]:
        pool = self._started_pool()
        chunks = range(start, len(items), at_once)
        waiting: collections.deque[concurrent.futures.Future] = collections.deque()
        try:
            for first in chunks:
                last = min(first + at_once, len(items))
                chunk = [items[index] for index in range(first, last)]
                waiting.append(pool.submit(_apply, function, chunk))
                if len(waiting) > _CHUNKS_PER_WORKER * self.count:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        except concurrent.futures.process.BrokenProcessPool as error:
            raise RuntimeError(
                "A worker process died, most often for lack of memory. Run the same command "
                "again, perhaps with fewer --workers: it continues where it stopped."
            ) from error
        finally:
            for future in waiting:
                future.cancel()

    def _started_pool(self) -> concurrent.futures.ProcessPoolExecutor:
        if self._pool is None:
            self._pool = concurrent.futures.ProcessPoolExecutor(
                self.count,
                multiprocessing.get_context("spawn"),
                initializer=_prepare_worker,
                initargs=(quiet_import.is_installed(),),
            )
        return self._pool


def available_cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _each(items: Sequence[Any]) -> Iterator[Any]:
    return (items[index] for index in range(len(items)))


def _apply(function: Callable, chunk: list) -> list:
    return [function(item) for item in chunk]


def _prepare_worker(is_quiet: bool) -> None:
    """Runs first in each worker: makes it quiet like its command, and single-threaded.

    Ctrl-C is for the main process, which ends the workers; if it is killed, they end with it.
    """
    if is_quiet:
        quiet_import.install()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # only the main process has no parent
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    # One thread per worker: the workers are the parallelism.
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    cv2.setNumThreads(1)


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
