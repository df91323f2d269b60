"""What a reader hands to the writer: which raw items become which records, and how."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


class ConversionError(ValueError):
    """An error that the user can fix: the message names the file or flag and says how."""


@dataclasses.dataclass(frozen=True)
class Skip:
    """Something that did not become a record.

    A skip by rule is the data set's normal case (a person too small). A fault is damage (a picture
    that is missing or cannot be read): it is logged by name and counts towards the limit.
    """

    reason: str
    what: str
    is_fault: bool = True


@dataclasses.dataclass(frozen=True)
class Converted:
    """What became of one raw item: serialized Examples, and what was left out."""

    examples: Sequence[bytes] = ()
    skipped: Sequence[Skip] = ()


@dataclasses.dataclass(frozen=True)
class Items:
    """Raw items in the order of the records, and what was left out before.

    Attributes:
        values: the items; each is small and can be pickled, because it is sent to a worker.
        skipped: reason -> how many were left out by rule.
        faults: raw files that cannot be used.
        num_samples: how many Examples the items hold, if that is known. Too many faults then end
            the conversion before it writes anything.
    """

    values: Sequence[Any]
    skipped: Mapping[str, int] = dataclasses.field(default_factory=dict)
    faults: Sequence[Skip] = ()
    num_samples: int | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """One set of shards to write.

    Attributes:
        name: the data set and its split, such as `lsp/train`.
        schema: the kind of Example, a key of `checks.SPECS`.
        shards: path pattern of the shards below the data directory, such as
            `lsp/train_%03d.tfrecord`.
        open_items: opens the raw items; called only when there is work to do.
        read: makes Examples of one item. It runs in the workers, so it is a function of a module
            or a `functools.partial` of one.
        settings: everything that decides the content of the records; kept in the manifest.
        examples_per_shard: a shard is closed when it holds this many.
        keeps_items_whole: whether a shard closes only between items, and so can hold a few more.
        shard_names: the name of each item's shard, where every item has its own; `shards` is then
            a glob pattern that matches them.
        unit: what an item is, for the progress bar.
        items_at_once: how many items a worker gets at a time.
        faults_are_limited: whether more faults than `--max_skipped` are an error.
        may_be_empty: whether to have no Example at all is a result and not an error.
    """

    name: str
    schema: str
    shards: str
    open_items: Callable[[], contextlib.AbstractContextManager[Items]]
    read: Callable[[Any], Converted]
    settings: Mapping[str, Any]
    examples_per_shard: int = 500
    keeps_items_whole: bool = False
    shard_names: Sequence[str] | None = None
    unit: str = "picture"
    items_at_once: int = 8
    faults_are_limited: bool = True
    may_be_empty: bool = False


def at_once(items: Callable[[], Items]) -> Callable[[], contextlib.AbstractContextManager[Items]]:
    """Makes `open_items` from a function that leaves nothing to clean up."""
    return lambda: contextlib.nullcontext(items())


def existing_folder(path: str | os.PathLike | None, flag: str, what: str) -> pathlib.Path:
    """Returns `path` if it is an existing folder; otherwise the error names the flag."""
    if not path:
        raise ConversionError(f"--{flag} is not set: it names the folder of {what}.")
    folder = pathlib.Path(path).expanduser()
    if not folder.is_dir():
        kind = "is not a folder" if folder.exists() else "does not exist"
        raise ConversionError(f"--{flag}={path} {kind}: expected the folder of {what}.")
    return folder


def existing_file(path: pathlib.Path, what: str) -> pathlib.Path:
    """Returns `path` if it is an existing file; otherwise the error lists what is there."""
    if not path.is_file():
        folder = next(parent for parent in path.parents if parent.is_dir())
        present = sorted(entry.name for entry in folder.iterdir())
        listed = ", ".join(present[:8]) + (" ..." if len(present) > 8 else "")
        raise ConversionError(
            f"{path} is missing: expected {what}. Present in {folder}: {listed or 'nothing'}."
        )
    return path


def in_any_case(folder: pathlib.Path, name: str) -> pathlib.Path:
    """`folder / name`, or what is there under this name in other capitals, if that is one thing.

    Some people write names in small letters, and some discs and programs do it for them.
    """
    path = folder / name
    if path.exists() or not folder.is_dir():
        return path
    alike = [entry for entry in folder.iterdir() if entry.name.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else path
