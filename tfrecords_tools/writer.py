"""The shard writer: whole shards or none, the same bytes from any number of workers.

Workers turn raw items into serialized Examples; this process alone writes them, in order. A shard
appears under its name once it is complete, and the manifest then notes where in the raw data the
next one begins. So a run that was killed continues there, and ends with the same bytes.
"""

import collections
import contextlib
import dataclasses
import pathlib
import re
from typing import Any

import tqdm
from absl import logging

from tfrecords_tools import manifest
from tfrecords_tools.files import remove_leftovers
from tfrecords_tools.locks import locked
from tfrecords_tools.plan import ConversionError, Converted, Items, Plan, Skip
from tfrecords_tools.pool import Mapper
from tfrecords_tools.shard_file import ShardFile


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of one plan: for the table at the end."""

    name: str
    manifest: manifest.Manifest
    was_complete: bool


def write(
    plan: Plan,
    data_dir: pathlib.Path,
    workers: Mapper,
    *,
    overwrite: bool = False,
    max_skipped: float = 0.01,
) -> Result:
    """Writes the shards of `plan`, or continues with them, or finds that they are all there.

    Args:
        overwrite: delete what is there and start from the beginning.
        max_skipped: share of faults in all samples above which the run fails at its end.

    Raises:
        ConversionError: what is there was made with other settings; there are too many faults, or
            no Example at all.
        InUseError: another conversion is writing there.
        OSError: a file cannot be written; nothing that looks whole is left.
    """
    path = manifest.path_for(data_dir, plan.shards)
    if not plan.faults_are_limited:
        max_skipped = 1.0
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent, "Wait until that conversion has finished."):
        remove_leftovers(path)
        state = _resume(plan, path, overwrite)
        was_complete = state.complete
        if was_complete:
            logging.info("%s: already complete in %s", plan.name, path.parent)
        else:
            _write_missing(plan, path, state, workers, max_skipped)
    _check_faults(state, state.examples, path, max_skipped)
    if not plan.may_be_empty:
        _check_not_empty(state)
    return Result(plan.name, state, was_complete)


def _resume(plan: Plan, path: pathlib.Path, overwrite: bool) -> manifest.Manifest:
    """The state to continue from: what is there of this plan up to the first missing shard."""
    fresh = manifest.Manifest(plan.name, plan.schema, dict(plan.settings))
    if overwrite:
        _remove(plan, path)
    if not path.exists():
        present = sorted(_shard_files(plan, path.parent))
        if present:
            raise ConversionError(
                f"{present[0]} exists without a manifest, so records of unknown origin would be "
                "mixed with the new ones. Move them away, choose another --data_dir, or give "
                "--overwrite."
            )
        fresh.save(path)
        return fresh
    state = manifest.load(path)
    _check_settings(fresh, state, path)
    whole = 0
    while whole < len(state.shards) and _is_there(path.parent, state.shards[whole]):
        whole += 1
    if whole < len(state.shards) or not state.complete:
        logging.info("%s: continuing after %d finished shards", plan.name, whole)
        state = dataclasses.replace(fresh, shards=state.shards[:whole])
    return state


def _remove(plan: Plan, path: pathlib.Path) -> None:
    # The manifest goes first: shards without one are refused if an interruption leaves any.
    path.unlink(missing_ok=True)
    for shard in _shard_files(plan, path.parent):
        shard.unlink()


def _shard_files(plan: Plan, folder: pathlib.Path) -> list[pathlib.Path]:
    pattern = pathlib.PurePath(plan.shards).name
    if plan.shard_names is None:
        pattern = re.sub(r"%\d*d", "*", pattern)
    return [path for path in folder.glob(pattern) if not path.name.startswith(".")]


def _is_there(folder: pathlib.Path, shard: manifest.Shard) -> bool:
    file = folder / shard.file
    return file.is_file() and file.stat().st_size == shard.size


def _check_settings(
    wanted: manifest.Manifest, found: manifest.Manifest, path: pathlib.Path
) -> None:
    keys = sorted({*wanted.settings, *found.settings})
    differences = [
        _difference(key, found.settings.get(key), wanted.settings.get(key))
        for key in keys
        if found.settings.get(key) != wanted.settings.get(key)
    ]
    if differences:
        raise ConversionError(
            f"{path} belongs to another conversion of {wanted.name}: {'; '.join(differences)}. "
            "Use the same settings, another --data_dir, or --overwrite to start from the "
            "beginning."
        )


def _difference(key: str, before: Any, now: Any) -> str:
    """How a setting changed, in words; the hash of a fingerprint would tell a person nothing."""
    if _is_hash(before) and _is_hash(now):
        return f"the raw files of `{key}` have changed"
    return f"{key} was {_in_words(before)} and is now {_in_words(now)}"


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) is not None


def _in_words(value: Any) -> str:
    if value is None:
        return "not given"
    if _is_hash(value):
        return "given"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _check_faults(
    state: manifest.Manifest, examples: int, path: pathlib.Path, max_skipped: float
) -> None:
    faults, samples = len(state.faults), examples + len(state.faults)
    if faults > max_skipped * samples:
        raise ConversionError(
            f"{state.name}: {faults} of {samples} samples could not be used, more than "
            f"--max_skipped={max_skipped:g} allows. The first are: "
            f"{'; '.join(state.faults[:3])}. All are listed in {path}. Fix the data and convert "
            "again with --overwrite, or raise --max_skipped."
        )


def _check_not_empty(state: manifest.Manifest) -> None:
    if not state.examples:
        left_out = ", ".join(f"{count} ({reason})" for reason, count in state.skipped.items())
        raise ConversionError(
            f"{state.name}: no Example was made; left out: {left_out or 'nothing'}. Is the raw "
            "data set unpacked completely?"
        )


def _write_missing(
    plan: Plan,
    path: pathlib.Path,
    state: manifest.Manifest,
    workers: Mapper,
    max_skipped: float,
) -> None:
    with plan.open_items() as items:
        first, offset = state.shards[-1].next if state.shards else (0, 0)
        if not state.shards:
            _note_left_out(plan, items, state)
            if items.num_samples is not None:
                state.save(path)
                _check_faults(state, items.num_samples, path, max_skipped)
        _log_start(plan, path.parent, len(items.values) - first)
        results = workers.map(plan.read, items.values, first, plan.items_at_once)
        bar = tqdm.tqdm(
            total=len(items.values), initial=first, desc=plan.name, unit=plan.unit, disable=None
        )
        with bar, contextlib.closing(_OpenShards(plan, path, state)) as shards:
            for item, result in enumerate(results, start=first):
                shards.add(item, result, offset)
                offset = 0
                bar.update()
            shards.finish(len(items.values))


def _note_left_out(plan: Plan, items: Items, state: manifest.Manifest) -> None:
    """Notes what was left out before the first shard."""
    skipped = collections.Counter(items.skipped)
    skipped.update(skip.reason for skip in items.faults)
    state.tail_skipped = dict(skipped)
    state.tail_faults = [_noted(plan, skip) for skip in items.faults]


def _noted(plan: Plan, skip: Skip) -> str:
    """Logs a fault, and returns it as it stands in the manifest."""
    logging.warning("%s: %s: %s", plan.name, skip.reason, skip.what)
    return f"{skip.reason}: {skip.what}"


def _log_start(plan: Plan, folder: pathlib.Path, num_items: int) -> None:
    """One line for people; the settings and hashes are in the manifest."""
    shards = f"{plan.examples_per_shard:,} examples per shard"
    if plan.shard_names is not None:
        shards = f"one shard per {plan.unit}"
    items = f"{num_items:,} {plan.unit}{'' if num_items == 1 else 's'}"
    logging.info("%s: converting %s, %s, to %s", plan.name, items, shards, folder)


class _OpenShards:
    """Receives the results item by item, and closes shards where the plan says."""

    def __init__(self, plan: Plan, path: pathlib.Path, state: manifest.Manifest):
        self._plan, self._path, self._state = plan, path, state
        self._file: ShardFile | None = None
        self._skipped = collections.Counter(state.tail_skipped)
        self._faults = list(state.tail_faults)

    def add(self, item: int, result: Converted, offset: int) -> None:
        """Writes the Examples of one item, of which the first `offset` were written before."""
        if offset == 0:
            self._note_skips(result)
        whole = self._plan.keeps_items_whole or self._plan.shard_names is not None
        for number, example in enumerate(result.examples[offset:], start=offset + 1):
            file = self._open(item)
            file.write(example)
            is_last = number == len(result.examples)
            if not whole and self._is_full(file):
                self._close(file, (item + 1, 0) if is_last else (item, number))
        if self._file and (self._plan.shard_names is not None or self._is_full(self._file)):
            self._close(self._file, (item + 1, 0))

    def finish(self, num_items: int) -> None:
        """Closes the last shard and declares the set complete."""
        if self._file:
            self._close(self._file, (num_items, 0))
        self._state.tail_skipped, self._state.tail_faults = dict(self._skipped), self._faults
        self._state.complete = self._state.examples > 0 or self._plan.may_be_empty
        self._state.save(self._path)

    def close(self) -> None:
        """Discards the open shard, if there is one."""
        if self._file:
            self._file.discard()

    def _open(self, item: int) -> ShardFile:
        if self._file is None:
            if self._plan.shard_names is not None:
                name = self._plan.shard_names[item]
            else:
                name = pathlib.PurePath(self._plan.shards).name % len(self._state.shards)
            self._file = ShardFile(self._path.parent / name)
        return self._file

    def _is_full(self, file: ShardFile) -> bool:
        return file.examples >= self._plan.examples_per_shard

    def _close(self, file: ShardFile, following: tuple[int, int]) -> None:
        self._file = None
        size, sha256 = file.commit()
        self._state.shards.append(
            manifest.Shard(
                file=file.path.name,
                examples=file.examples,
                size=size,
                sha256=sha256,
                next=following,
                skipped=dict(self._skipped),
                faults=self._faults,
            )
        )
        self._skipped, self._faults = collections.Counter(), []
        self._state.tail_skipped, self._state.tail_faults = {}, []
        self._state.save(self._path)

    def _note_skips(self, result: Converted) -> None:
        for skip in result.skipped:
            self._skipped[skip.reason] += 1
            if skip.is_fault:
                self._faults.append(_noted(self._plan, skip))
