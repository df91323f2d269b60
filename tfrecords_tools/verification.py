"""Checks records: checksums, schema, values, counts and hashes; `verify` is the command for it.

Records without a manifest, such as those that the original's programs made, are checked as far as
possible.
"""

import dataclasses
import functools
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence

import tensorflow as tf
import tqdm

from tfrecords_tools import checks, framing, manifest
from tfrecords_tools.files import sha256_of
from tfrecords_tools.paths import opened, path_of
from tfrecords_tools.pipelines import ends_promptly
from tfrecords_tools.plan import ConversionError
from tfrecords_tools.pool import Workers

Batch = tuple[Sequence[int], Sequence[bytes]]

_BATCH = 256
_MAX_DAMAGED = 20
# Fewer bytes than this are checked before more processes would have started.
_WORTH_A_POOL = 500 << 20


@dataclasses.dataclass(frozen=True)
class Report:
    """What was checked and found.

    Attributes:
        shards, examples, size: how much was checked; the size is in bytes.
        faults: what is wrong; each names the file, record and feature as far as they apply.
    """

    shards: int
    examples: int
    size: int
    faults: tuple[str, ...]

    def __str__(self) -> str:
        about = f"{self.shards} shards, {self.examples} examples, {self.size / 1e6:.1f} MB"
        if not self.faults:
            return f"{about}: all is well."
        number = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        return "\n".join([*self.faults, f"{about}: {number}."])


@dataclasses.dataclass(frozen=True)
class Expected:
    """A shard as its manifest describes it."""

    schema: str
    examples: int
    size: int
    sha256: str


def verify(folder: str | os.PathLike, workers: int = 0) -> Report:
    """Checks every record file below `folder`."""
    root = path_of(folder)
    if not root.is_dir():
        raise ConversionError(f"{folder} is not a folder: expected a folder of records.")
    expected, faults = _read_manifests(root)
    shards = sorted({*root.rglob("*.tfrecord"), *expected})
    if not shards and not faults:
        raise ConversionError(f"{folder} holds no record file (*.tfrecord).")
    present = [path for path in shards if path.is_file()]
    faults += [f"{path}: missing" for path in shards if not path.is_file()]
    with_manifest = {path.parent for path in expected}
    faults += [
        f"{path}: not in the manifest"
        for path in present
        if path not in expected and path.parent in with_manifest
    ]
    size = sum(path.stat().st_size for path in present)
    examples = 0
    with Workers(1 if size < _WORTH_A_POOL else workers) as pool:
        results = pool.map(functools.partial(check_shard, expected), present, at_once=1)
        bar = tqdm.tqdm(
            zip(present, results, strict=True),
            total=len(present), desc="verify", unit="shard", disable=None,
        )  # fmt: skip
        for path, (count, found) in bar:
            examples += count
            faults += [f"{path}: {fault}" for fault in found]
    return Report(len(present), examples, size, tuple(faults))


def _read_manifests(
    root: pathlib.Path,
) -> tuple[dict[pathlib.Path, Expected], list[str]]:
    expected: dict[pathlib.Path, Expected] = {}
    faults = []
    for path in sorted(root.rglob(f"*{manifest.SUFFIX}")):
        try:
            found = manifest.load(path)
        except ConversionError as error:
            faults.append(str(error))
            continue
        if not found.complete:
            faults.append(f"{path}: the conversion is not complete; run it again to continue")
        for shard in found.shards:
            expected[path.parent / shard.file] = Expected(
                found.schema, shard.examples, shard.size, shard.sha256
            )
    return expected, faults


def check_shard(
    expected: Mapping[pathlib.Path, Expected], path: pathlib.Path
) -> tuple[int, list[str]]:
    """The number of whole records of a file, and what is wrong with it."""
    wanted = expected.get(path)
    faults = []
    if wanted is not None:
        size = path.stat().st_size
        if size != wanted.size:
            faults.append(f"the file has {size} bytes, the manifest says {wanted.size}")
        elif sha256_of(path) != wanted.sha256:
            faults.append("the content is not what was written (SHA-256 differs)")
    schema = wanted.schema if wanted else None
    try:
        count, found = _check_batches(_undamaged_batches(path), schema)
    except tf.errors.DataLossError:
        damage: list[str] = []
        count, found = _check_batches(_batches(path, damage), schema)
        faults += damage
    faults += found
    if wanted is not None and count != wanted.examples:
        faults.append(f"the file has {count} whole records, the manifest says {wanted.examples}")
    return count, faults


def _check_batches(batches: Iterable[Batch], schema: str | None) -> tuple[int, list[str]]:
    """The number of records in `batches`, and what is wrong with them."""
    count = 0
    faults = []
    for numbers, batch in batches:
        count += len(numbers)
        try:
            schema = schema or checks.schema_of(batch[0])
            for number, feature, what in checks.faults(batch, schema):
                faults.append(f"record {numbers[number]}: {feature}: {what}")
        except Exception as error:  # whatever a damaged record makes a parser do
            faults.append(f"record {numbers[0]}: cannot be parsed: {error}")
    return count, faults


def _undamaged_batches(path: pathlib.Path) -> Iterator[Batch]:
    """Yields the numbers and data of the records, quickly, as long as all checksums are right."""
    count = 0
    dataset = tf.data.TFRecordDataset(str(path)).batch(_BATCH)
    for batch in ends_promptly(dataset).as_numpy_iterator():
        yield range(count, count + len(batch)), batch
        count += len(batch)


def _batches(path: pathlib.Path, faults: list[str]) -> Iterator[Batch]:
    """Yields the numbers and data of the whole records; damage is added to `faults`."""
    numbers: list[int] = []
    batch: list[bytes] = []
    for number, data in _whole_records(path, faults):
        numbers.append(number)
        batch.append(data)
        if len(batch) == _BATCH:
            yield numbers, batch
            numbers, batch = [], []
    if batch:
        yield numbers, batch


def _whole_records(path: pathlib.Path, faults: list[str]) -> Iterator[tuple[int, bytes]]:
    """Reads through TensorFlow, which compares the checksums; continues after a damaged record."""
    try:
        spans = framing.spans(path)
    except framing.DamagedError as error:
        faults.append(error.where)
        spans = error.before
    number = damaged = 0
    while number < len(spans):
        try:
            for data in _records_from(path, spans, number):
                yield number, data
                number += 1
        except tf.errors.DataLossError:
            faults.append(f"record {number}: damaged (its checksum differs)")
            number += 1
            damaged += 1
            if damaged == _MAX_DAMAGED:
                left = len(spans) - number
                faults.append(f"there may be more: the last {left} records were not checked")
                return


def _records_from(path: pathlib.Path, spans: list[framing.Span], first: int) -> Iterator[bytes]:
    """The data of the records `spans[first:]`."""
    if first == 0:
        # Up to the last record with a known end: beyond it, records cannot be separated.
        dataset = tf.data.TFRecordDataset(str(path)).take(len(spans))
        yield from ends_promptly(dataset).as_numpy_iterator()
        return
    # TensorFlow stops at a damaged record, so the rest goes to a file of its own.
    with tempfile.NamedTemporaryFile() as rest:
        with opened(path) as file:
            file.seek(spans[first].start - framing.HEADER_SIZE)
            shutil.copyfileobj(file, rest)
        rest.flush()
        dataset = tf.data.TFRecordDataset(rest.name).take(len(spans) - first)
        yield from ends_promptly(dataset).as_numpy_iterator()
