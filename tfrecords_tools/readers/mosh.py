"""Motion capture fitted with SMPL by MoSh (`neutrMosh`): the poses and shapes of the prior."""

import contextlib
import functools
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from tfrecords_tools import datasets, records
from tfrecords_tools.files import fingerprint, replacing
from tfrecords_tools.paths import is_address, path_of
from tfrecords_tools.pickles import safe_pickle
from tfrecords_tools.plan import (
    ConversionError,
    Converted,
    Items,
    Plan,
    existing_folder,
)

FOLDER = "mocap_neutrMosh"
TEST_SUBJECTS = ("S9", "S11")
ROW_SIZE = records.POSE_SIZE + records.SHAPE_SIZE
ROWS_PER_ITEM = 500


def plans(
    folder: str | None,
    spool_dir: str | os.PathLike,
    seed: int = 0,
    examples_per_shard: int = 10000,
) -> list[Plan]:
    """Plans for CMU, H3.6 and jointLim, as far as present; Human3.6M's test subjects stay out.

    Args:
        folder: holds `neutrSMPL_CMU` and so on.
        spool_dir: where all rows are kept while they are shuffled; all workers must see it.
        seed: of the shuffle.
        examples_per_shard: number of rows in a shard.
    """
    root = existing_folder(folder, "mosh_dir", "neutrMosh (neutrSMPL_CMU, neutrSMPL_H3.6, ...)")
    found = []
    for name in datasets.names_of(raw="mosh"):
        files = pickle_files(root / f"neutrSMPL_{name}")
        if files:
            found.append(_plan(root, name, files, spool_dir, seed, examples_per_shard))
    if not found:
        raise ConversionError(
            f"--mosh_dir={folder} holds no pickles: expected "
            f"{root}/neutrSMPL_CMU/<subject>/<sequence>.pkl, with neutrSMPL_H3.6 and "
            "neutrSMPL_jointLim beside it."
        )
    return found


def _plan(
    root: pathlib.Path,
    name: str,
    files: list[pathlib.Path],
    spool_dir: str | os.PathLike,
    seed: int,
    examples_per_shard: int,
) -> Plan:
    spool = path_of(spool_dir) / FOLDER / f".neutrSMPL_{name}.rows"
    open_items = functools.partial(_spooled, files, spool, seed)
    return Plan(
        name=f"mosh/{name}",
        schema="mocap",
        shards=f"{FOLDER}/neutrSMPL_{name}_%03d.tfrecord",
        open_items=open_items,
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
    )


def pickle_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The pickles below `folder`, sorted, without those of S9 and S11."""
    return sorted(
        path
        for path in folder.glob("*/*.pkl")
        if not any(subject in "/".join(path.parts[-2:]) for subject in TEST_SUBJECTS)
    )


@contextlib.contextmanager
def _spooled(files: list[pathlib.Path], spool: pathlib.Path, seed: int) -> Iterator[Items]:
    """Rows are shuffled over the whole set, so they first go to a file rather than to memory."""
    num_rows = 0
    try:
        spool.parent.mkdir(parents=True, exist_ok=True)
        with replacing(spool) as partial, open(partial, "wb") as file:
            for path in files:
                rows = read_rows(path)
                file.write(rows.tobytes())
                num_rows += len(rows)
        starts = range(0, num_rows, ROWS_PER_ITEM)
        yield Items(
            [(str(spool), num_rows, seed, s, min(s + ROWS_PER_ITEM, num_rows)) for s in starts]
        )
    finally:
        spool.unlink(missing_ok=True)


def read_rows(path: pathlib.Path) -> np.ndarray:
    """float32 [n, 82]: the poses of one sequence, each with the sequence's shape."""
    values = safe_pickle.load(path)
    try:
        poses = values["poses"] if "poses" in values else values["new_poses"]
        poses = np.asarray(poses, np.float64).reshape(-1, records.POSE_SIZE)
        shape = np.asarray(values["betas"], np.float64).reshape(records.SHAPE_SIZE)
    except (KeyError, TypeError, ValueError) as error:
        raise ConversionError(
            f"{path}: expected `poses` or `new_poses` [n, 72] and `betas` [10] "
            f"({type(error).__name__}: {error})."
        ) from None
    rows = np.column_stack([poses, np.tile(shape, (len(poses), 1))]).astype(np.float32)
    if not np.isfinite(rows).all():
        raise ConversionError(f"{path}: expected finite numbers, but some are NaN or infinite.")
    return rows


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
