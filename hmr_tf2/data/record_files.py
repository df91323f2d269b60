"""Compares the record files of a data folder with their manifests."""

import os
from collections.abc import Collection, Iterable, Mapping

from absl import logging

from tfrecords_tools import manifest
from tfrecords_tools.paths import path_of


def check_counts(counts: Mapping[str, int], damaged: Collection[str] = ()) -> None:
    """Compares the records of shards with their manifests, where they have one.

    Args:
        counts: shard -> number of its records.
        damaged: shards that may hold fewer than their manifests say.

    Raises:
        ValueError: a shard that a manifest lists is missing or holds another number of records.
    """
    for path, promised in _promised(counts).items():
        if path not in counts:
            raise ValueError(
                f"{path} is missing: the manifest in its folder lists it. Convert the data set "
                "again."
            )
        if counts[path] != promised and path not in damaged:
            raise ValueError(
                f"{path} holds {counts[path]} records, but its manifest says {promised}. "
                "`python -m tfrecords_tools.verify` tells more; convert the data set again."
            )


def _promised(paths: Iterable[str]) -> dict[str, int]:
    """Shard -> number of records, from the manifests that list any of `paths`."""
    promised = {}
    for folder in dict.fromkeys(os.path.dirname(path) for path in paths):
        for path in sorted(path_of(folder).glob(f"*{manifest.SUFFIX}")):
            found = manifest.load(path)
            shards = {os.path.join(folder, shard.file): shard.examples for shard in found.shards}
            if shards.keys().isdisjoint(paths):
                continue
            if not found.complete:
                logging.warning(
                    "%s: the conversion is not complete; training uses the %d records so far.",
                    path,
                    found.examples,
                )
            promised |= shards
    return promised
