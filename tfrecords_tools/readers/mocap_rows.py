"""Poses and shapes of motion capture as rows: checked, shuffled over the whole set, and encoded.

A row is one pose of SMPL [72] and the shape [10] of its sequence, which is what the mocap prior
learns from.
"""

import contextlib
import functools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tqdm

from tfrecords_tools import checks, records
from tfrecords_tools.files import fingerprint, replacing
from tfrecords_tools.images import BadSampleError
from tfrecords_tools.paths import is_address, path_of
from tfrecords_tools.plan import ConversionError, Converted, Items, Plan, Skip

ROW_SIZE = records.POSE_SIZE + records.SHAPE_SIZE
ROWS_PER_ITEM = 500
# The root and the 21 joints that SMPL, SMPL-H and SMPL-X share. Then SMPL has two stubs of hands
# (joints 22 and 23), where the others have fingers, or the jaw and the eyes.
BODY_SIZE = 66

# SMPL's 23 joints without the root: the same joints would stand in other places.
_WITHOUT_ROOT = 69

# A file -> its rows, float32 [n, 82]; BadSampleError if there are none to be had.
ReadRows = Callable[[pathlib.Path], np.ndarray]


def plan(
    name: str,
    shards: str,
    root: pathlib.Path,
    files: Sequence[pathlib.Path],
    read_rows: ReadRows,
    spool: str | os.PathLike,
    *,
    seed: int,
    examples_per_shard: int,
    faults_are_limited: bool = True,
    when_read: Callable[[], None] = lambda: None,
) -> Plan:
    """The plan of one set of sequences.

    Args:
        name, shards, faults_are_limited: see `Plan`.
        root: the folder of all `files`.
        files: one for each sequence.
        read_rows: reads one of them.
        spool: file for all rows while they are shuffled; all workers must see it.
        seed: of the shuffle.
        examples_per_shard: number of rows in a shard.
        when_read: is called once all files are read.
    """
    return Plan(
        name=name,
        schema="mocap",
        shards=shards,
        open_items=functools.partial(
            _spooled, name, files, read_rows, path_of(spool), seed, when_read
        ),
        read=read,
        settings={
            "files": len(files),
            "annotations": fingerprint(root, files, contents=False),
            "seed": seed,
            "examples_per_shard": examples_per_shard,
        },
        examples_per_shard=examples_per_shard,
        unit="block",
        items_at_once=2,
        faults_are_limited=faults_are_limited,
    )


@contextlib.contextmanager
def _spooled(
    name: str,
    files: Sequence[pathlib.Path],
    read_rows: ReadRows,
    spool: pathlib.Path,
    seed: int,
    when_read: Callable[[], None],
) -> Iterator[Items]:
    """Rows are shuffled over the whole set, so they first go to a file rather than to memory."""
    num_rows = 0
    faults: list[Skip] = []
    try:
        spool.parent.mkdir(parents=True, exist_ok=True)
        bar = tqdm.tqdm(files, desc=f"{name}: reading", unit="file", disable=None, leave=False)
        with replacing(spool) as partial, open(partial, "wb") as file:
            for path in bar:
                try:
                    rows = read_rows(path)
                except BadSampleError as error:
                    faults.append(error.skip)
                    continue
                file.write(rows.tobytes())
                num_rows += len(rows)
        when_read()
        if not num_rows:
            told = "; ".join(f"{skip.reason}: {skip.what}" for skip in faults[:3])
            raise ConversionError(
                f"{name}: none of {len(files)} sequences could be used. The first are: {told}."
            )
        starts = range(0, num_rows, ROWS_PER_ITEM)
        yield Items(
            [(str(spool), num_rows, seed, s, min(s + ROWS_PER_ITEM, num_rows)) for s in starts],
            faults=faults,
            num_samples=num_rows,
        )
    finally:
        spool.unlink(missing_ok=True)


def to_smpl(poses: np.ndarray) -> np.ndarray:
    """float64 [n, 72] of SMPL, from poses of SMPL, SMPL-H [n, 156] or SMPL-X [n, 165].

    The first 66 numbers mean the same in all three. SMPL's two hands have no counterpart in the
    others and become zero.

    Args:
        poses: axis-angle vectors, [n, 66] or more in a row, or [n, joints, 3]; of SMPL alone also
            without a second axis.

    Raises:
        ValueError: they have another shape.
    """
    values = np.asarray(poses, np.float64)
    if values.ndim == 3 and values.shape[2] == 3:
        values = values.reshape(len(values), 3 * values.shape[1])
    if values.ndim == 1 and values.size % records.POSE_SIZE == 0:
        values = values.reshape(-1, records.POSE_SIZE)
    size = values.shape[1] if values.ndim == 2 else 0
    if size < BODY_SIZE or size % 3 or size == _WITHOUT_ROOT:
        raise ValueError(
            f"expected poses [n, 72], [n, 156] or [n, 165], got {list(np.shape(poses))}"
        )
    if size == records.POSE_SIZE:
        return values
    body = np.zeros((len(values), records.POSE_SIZE))
    body[:, :BODY_SIZE] = values[:, :BODY_SIZE]
    return body


def to_shape(betas: np.ndarray) -> np.ndarray:
    """float64 [10]: the first ten shape coefficients, which mean the same for 10, 16 or 300.

    Args:
        betas: [10] or more, or the same for each frame, of which the first row is taken.

    Raises:
        ValueError: there are fewer than ten, or they are no vector.
    """
    values = np.asarray(betas, np.float64)
    first = values[0] if values.ndim == 2 and len(values) else values
    if first.ndim != 1 or first.size < records.SHAPE_SIZE:
        raise ValueError(f"expected at least 10 betas, got {list(values.shape)}")
    return first[: records.SHAPE_SIZE]


def to_rows(poses: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """float32 [n, 82]: poses [n, 72] of a sequence, each with the sequence's shape [10].

    Raises:
        ValueError: there is no pose, or some number is no plausible one.
    """
    if not len(poses):
        raise ValueError("it holds no frame")
    for name, values, limit in (
        ("poses", poses, checks.MAX_POSE),
        ("betas", shape, checks.MAX_SHAPE),
    ):
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: expected finite numbers, but some are NaN or infinite")
        if np.abs(values).max() > limit:
            raise ValueError(f"{name}: expected numbers from {-limit:.0f} to {limit:.0f}")
    return np.column_stack([poses, np.tile(shape, (len(poses), 1))]).astype(np.float32)


def read(block: tuple[str, int, int, int, int]) -> Converted:
    """The Examples of one block of the shuffled order."""
    file, num_rows, seed, first, last = block
    rows = _spooled_rows(file).reshape(num_rows, ROW_SIZE)
    chosen = rows[_order(num_rows, seed)[first:last]]
    poses, shapes = chosen[:, : records.POSE_SIZE], chosen[:, records.POSE_SIZE :]
    return Converted([records.mocap_example(*row) for row in zip(poses, shapes, strict=True)])


def _spooled_rows(file: str) -> np.ndarray:
    if is_address(file):
        return _downloaded(file, path_of(file).stat().st_mtime_ns)
    return np.memmap(file, np.float32, "r")


@functools.lru_cache(maxsize=1)
def _downloaded(file: str, changed: int) -> np.ndarray:
    """The numbers of a file at an address, which a worker needs again for its next block."""
    return np.frombuffer(path_of(file).read_bytes(), np.float32)


@functools.lru_cache(maxsize=1)
def _order(num_rows: int, seed: int) -> np.ndarray:
    return np.random.RandomState(seed).permutation(num_rows)
