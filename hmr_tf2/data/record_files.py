"""The record files of a data folder: where the shards lie, and what their manifests promise."""

import glob
import os
import pathlib
from collections.abc import Collection, Iterable, Mapping, Sequence

from absl import logging

from tfrecords_tools import manifest, records


def find_files(data_dir: str, datasets: Sequence[str]) -> dict[str, list[str]]:
    """The training shards of each data set, sorted.

    Raises:
        ValueError: `data_dir` is not given.
        FileNotFoundError: data sets without shards, all of them; tells what is there.
    """
    if not data_dir:
        raise ValueError("--data_dir is needed: the folder that convert_datasets wrote.")
    patterns = {
        name: os.path.join(data_dir, files.train) for name, files in records.RECORD_FILES.items()
    }
    found = {
        name: sorted(glob.glob(os.path.join(glob.escape(data_dir), files.train)))
        for name, files in records.RECORD_FILES.items()
    }
    missing = [name for name in datasets if not found[name]]
    if missing:
        present = [name for name, files in found.items() if files]
        raise FileNotFoundError(
            f"No records of {', '.join(map(repr, missing))}:\n"
            + "".join(f"  nothing matches {patterns[name]}\n" for name in missing)
            + f"Present in {data_dir}: {', '.join(present) or 'nothing'}.\n"
            "Write them with `python -m hmr_tf2.convert_datasets`, or leave them out of "
            "--datasets or --mocap_datasets."
        )
    return {name: found[name] for name in datasets}


def check_counts(counts: Mapping[str, int], damaged: Collection[str] = ()) -> None:
    """Compares the records of shards with their manifests, where they have one.

    Args:
        counts: shard -> number of its records.
        damaged: shards that may hold fewer than their manifests say.

    Raises:
        ValueError: a shard that a manifest lists is missing or holds another number.
    """
    for path, promised in _promised(counts).items():
        if path not in counts:
            raise ValueError(
                f"{path} is missing: the manifest beside it lists it. Convert the data set again."
            )
        if counts[path] != promised and path not in damaged:
            raise ValueError(
                f"{path} holds {counts[path]} records, its manifest says {promised}. "
                "`python -m tfrecords_tools.verify` tells more; convert the data set again."
            )


def _promised(paths: Iterable[str]) -> dict[str, int]:
    """Shard -> records, from the manifests that list any of `paths`."""
    promised = {}
    for folder in dict.fromkeys(os.path.dirname(path) for path in paths):
        for path in sorted(pathlib.Path(folder).glob(f"*{manifest.SUFFIX}")):
            found = manifest.load(path)
            shards = {os.path.join(folder, shard.file): shard.examples for shard in found.shards}
            if shards.keys().isdisjoint(paths):
                continue
            if not found.complete:
                logging.warning(
                    "%s: the conversion is not complete; training uses its %d records so far.",
                    path,
                    found.examples,
                )
            promised |= shards
    return promised
