"""Motion capture fitted with SMPL by MoSh (`neutrMosh`): the poses and shapes of the prior."""

import os
import pathlib

import numpy as np

from tfrecords_tools import datasets
from tfrecords_tools.images import BadSampleError
from tfrecords_tools.paths import path_of
from tfrecords_tools.pickles import safe_pickle
from tfrecords_tools.plan import ConversionError, Plan, existing_folder
from tfrecords_tools.readers import mocap_rows

FOLDER = "mocap_neutrMosh"
TEST_SUBJECTS = ("S9", "S11")


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
            found.append(
                mocap_rows.plan(
                    f"mosh/{name}",
                    f"{FOLDER}/neutrSMPL_{name}_%03d.tfrecord",
                    root,
                    files,
                    read_rows,
                    path_of(spool_dir) / FOLDER / f".neutrSMPL_{name}.rows",
                    seed=seed,
                    examples_per_shard=examples_per_shard,
                )
            )
    if not found:
        raise ConversionError(
            f"--mosh_dir={folder} holds no pickles: expected "
            f"{root}/neutrSMPL_CMU/<subject>/<sequence>.pkl, with neutrSMPL_H3.6 and "
            "neutrSMPL_jointLim beside it. Where you have AMASS instead, give "
            "--datasets=amass --amass_dir=."
        )
    return found


def pickle_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The pickles below `folder`, sorted, without those of S9 and S11."""
    return sorted(
        path
        for path in folder.glob("*/*.pkl")
        if not any(subject in "/".join(path.parts[-2:]) for subject in TEST_SUBJECTS)
    )


def read_rows(path: pathlib.Path) -> np.ndarray:
    """float32 [n, 82]: the poses of one sequence, each with the sequence's shape.

    Raises:
        BadSampleError: the file is damaged, refused, or holds something else.
    """
    try:
        values = safe_pickle.load(path)
    except (ValueError, OSError) as error:  # it names the file
        raise BadSampleError("sequence damaged", str(error)) from error
    try:
        poses = values["poses"] if "poses" in values else values["new_poses"]
        return mocap_rows.to_rows(mocap_rows.to_smpl(poses), mocap_rows.to_shape(values["betas"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadSampleError(
            "sequence damaged",
            f"{path}: expected `poses` or `new_poses` [n, 72] and `betas` [10] "
            f"({type(error).__name__}: {error})",
        ) from error
