"""Runs the readers as an Apache Beam pipeline instead of in a pool of processes.

For clusters: Beam spreads the work over its workers, which share the folder of the records with
this process: on a disk that all of them see, or at an address (gs://bucket/records). Results come
back through files there, and the same writer puts them into the same
shards; so records, manifests and resuming are as in any other run. This needs the extra `beam`.
"""

import logging
import pathlib
import pickle
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2

from tfrecords_tools import quiet_import
from tfrecords_tools.files import write_bytes
from tfrecords_tools.paths import path_of, remove_folder
from tfrecords_tools.plan import ConversionError

# Chunks per file: a cluster does better with fewer and larger pieces of work than a pool does.
_CHUNKS_PER_FILE = 8


class BeamWorkers:
    """Offers the `map` of `pool.Workers`, run by Beam.

    Attributes:
        folder: where the processes exchange files; all workers must see it under this path.
        options: Beam's pipeline options without the dashes, such as `direct_num_workers=2`.
    """

    def __init__(self, folder: pathlib.Path, options: Sequence[str]):
        try:
            import apache_beam  # noqa: F401
        except ImportError as error:
            raise ConversionError(
                "--runner=beam needs Apache Beam: pip install 'hmr_tf2[beam]'. "
                f"Without it, --runner=local uses the cores of this machine. ({error})"
            ) from error
        self._folder = folder
        self._options = [f"--{option.removeprefix('--')}" for option in options]

    def __enter__(self) -> "BeamWorkers":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def map(
        self, function: Callable, items: Sequence[Any], start: int = 0, at_once: int = 8
    ) -> Iterator[Any]:
        """Yields `function(item)` for `items[start:]`, in their order, once all are done."""
        folder = self._folder.resolve() / f".beam_{secrets.token_hex(4)}"
        folder.mkdir()
        try:
            files = _write_inputs(folder, function, items, start, at_once * _CHUNKS_PER_FILE)
            self._run(files)
            for file in files:
                results = path_of(_result_of(file))
                yield from pickle.loads(results.read_bytes())
                results.unlink()
        finally:
            remove_folder(folder)

    def _run(self, files: list[str]) -> None:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions

        # Otherwise each of Beam's workers logs its every step.
        logging.getLogger("apache_beam").setLevel(logging.WARNING)
        with beam.Pipeline(options=PipelineOptions(self._options)) as pipeline:
            _ = (
                pipeline
                | "Pieces of work" >> beam.Create(files)
                | "Spread" >> beam.Reshuffle()
                | "Read" >> beam.Map(_convert_file, quiet_import.is_installed())
            )


def _write_inputs(
    folder: pathlib.Path, function: Callable, items: Sequence[Any], start: int, size: int
) -> list[str]:
    files = []
    for first in range(start, len(items), size):
        piece = [items[index] for index in range(first, min(first + size, len(items)))]
        path = folder / f"{first:09d}.items"
        write_bytes(path, pickle.dumps((function, piece)))
        files.append(str(path))
    return files


def _convert_file(file: str, is_quiet: bool) -> None:
    """Runs in Beam's workers. Beam may run a piece twice: both runs write the same file."""
    if is_quiet:
        quiet_import.install()
    # One thread per worker: the workers are the parallelism.
    cv2.setNumThreads(1)
    function, items = pickle.loads(path_of(file).read_bytes())
    results = [function(item) for item in items]
    write_bytes(_result_of(file), pickle.dumps(results))


def _result_of(file: str) -> str:
    return f"{file}.results"
