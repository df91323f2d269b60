"""AMASS (Mahmood et al., 2019): motion capture fitted with SMPL-H or SMPL-X, for the mocap prior.

It takes the place of `neutrMosh`, which its authors have withdrawn. Records are made as from that:
body and shape, at 10 poses per second, with the two hands of SMPL at rest. The root is left as it
is, though AMASS has z upwards: the prior's discriminator looks at the joints 1 to 23 and never at
the root. What this project's own demo writes as `person0_poses.npz` is read, too.
"""

import collections
import functools
import os
import pathlib
from collections.abc import Mapping

import numpy as np
from absl import logging

from tfrecords_tools.images import BadSampleError
from tfrecords_tools.npz_arrays import read_arrays
from tfrecords_tools.paths import path_of
from tfrecords_tools.plan import ConversionError, Plan, existing_folder
from tfrecords_tools.readers import mocap_rows

FOLDER = "mocap_amass"
ENDINGS = ("_poses.npz", "_stageii.npz")
POSES_PER_SECOND = 10.0
GENDERS = ("female", "male")

_RATES = ("mocap_framerate", "mocap_frame_rate")
# Frames per second; no camera of motion capture takes more.
_MAX_RATE = 2000.0
_PARTS = ("root_orient", "pose_body")
# How many other files are named where there is no sequence.
_FILES_TOLD = 3


def plans(
    folder: str | None,
    spool_dir: str | os.PathLike,
    seed: int = 0,
    examples_per_shard: int = 10000,
) -> list[Plan]:
    """One plan for all sequences below `folder`, however deep they lie.

    A file that cannot be used is left out, counted and named. However many there are, the others
    are converted: AMASS is a collection of many sets, of several ages and makers.

    Args:
        folder: holds `<set>/<subject>/<sequence>_poses.npz` or `..._stageii.npz`.
        spool_dir: where all rows are kept while they are shuffled; all workers must see it.
        seed: of the shuffle.
        examples_per_shard: number of rows in a shard.
    """
    root = existing_folder(folder, "amass_dir", "AMASS (<set>/<subject>/<sequence>_poses.npz)")
    files, others = sequence_files(root)
    if not files:
        told = ", ".join(str(path.relative_to(root)) for path in others[:_FILES_TOLD])
        more = " ..." if len(others) > _FILES_TOLD else ""
        raise ConversionError(
            f"--amass_dir={folder} holds no sequence: expected files that end in "
            f"{' or '.join(ENDINGS)}, at any depth. Present: {told or 'no file'}{more}. "
            "Archives must be unpacked first."
        )
    logging.info(
        "amass: %d sequences; %d other files below %s are passed over",
        len(files), len(others), root,
    )  # fmt: skip
    genders: collections.Counter[str] = collections.Counter()
    return [
        mocap_rows.plan(
            "amass",
            f"{FOLDER}/amass_%03d.tfrecord",
            root,
            files,
            functools.partial(read_rows, genders=genders),
            path_of(spool_dir) / FOLDER / ".amass.rows",
            seed=seed,
            examples_per_shard=examples_per_shard,
            faults_are_limited=False,
            when_read=functools.partial(_tell_genders, genders),
        )
    ]


def _tell_genders(genders: collections.Counter) -> None:
    fitted = [f"{genders[name]} with the {name} body" for name in GENDERS if genders[name]]
    if fitted:
        logging.warning(
            "amass: of %d sequences, %s were fitted. Their shapes are taken as they are, though "
            "the original's prior learnt from the neutral body, whose shapes differ a little.",
            genders.total(), " and ".join(fitted),
        )  # fmt: skip


def sequence_files(root: pathlib.Path) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """The sequences below `root`, sorted, and all other files but hidden ones.

    Folders may be links to folders elsewhere. Files such as `shape.npz` and `neutral_stagei.npz`
    stand beside sequences and are none.
    """
    sequences: list[pathlib.Path] = []
    others: list[pathlib.Path] = []
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads in a circle
            folders.clear()
            continue
        seen.add(real)
        for name in names:
            # Archives made on a Mac hold a `._name` of a few bytes for every name.
            if name.startswith("."):
                continue
            of_kind = sequences if name.lower().endswith(ENDINGS) else others
            of_kind.append(pathlib.Path(folder, name))
    return sorted(sequences), sorted(others)


def read_rows(path: pathlib.Path, genders: collections.Counter | None = None) -> np.ndarray:
    """float32 [n, 82]: ten poses per second of one sequence, each with the sequence's shape.

    Args:
        path: the file.
        genders: counts the sequence's gender.

    Raises:
        BadSampleError: the file is damaged, or holds something else.
    """
    try:
        arrays = read_arrays(path, ("poses", *_PARTS, "betas", *_RATES))
        poses = _body(arrays)
        shape = mocap_rows.to_shape(_numbers(arrays, "betas"))
        # Damage anywhere makes a sequence suspect, so all frames are looked at.
        rows = mocap_rows.to_rows(poses, shape)
        kept = thinned(len(rows), _rate(arrays))
    except Exception as error:  # whatever a damaged file makes a reader do
        raise BadSampleError("sequence unusable", f"{path}: {error}") from error
    if genders is not None:
        genders[read_gender(path)] += 1
    return rows[kept]


def _body(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """float64 [n, 72]; files of the second stage of MoSh++ may hold the parts alone."""
    if "poses" in arrays:
        poses = _numbers(arrays, "poses")
    elif all(part in arrays for part in _PARTS):
        parts = [_numbers(arrays, part) for part in _PARTS]
        poses = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    else:
        raise ValueError("expected `poses`, or `root_orient` with `pose_body`")
    body = mocap_rows.to_smpl(poses)
    body[:, mocap_rows.BODY_SIZE :] = 0.0
    return body


def _numbers(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name not in arrays:
        raise ValueError(f"expected `{name}`, which is not there")
    values = arrays[name]
    if values.dtype.kind not in "fiu":
        raise ValueError(f"`{name}` holds no numbers, but {values.dtype}")
    return values.astype(np.float64)


def _rate(arrays: Mapping[str, np.ndarray]) -> float:
    """Frames per second."""
    name = next((name for name in _RATES if name in arrays), None)
    if name is None:
        raise ValueError(f"expected `{_RATES[0]}`, the frames per second, which is not there")
    if arrays[name].size != 1:
        raise ValueError(f"`{name}` holds {arrays[name].size} numbers, expected one")
    rate = float(arrays[name].reshape(()).item())
    if not 0.0 < rate <= _MAX_RATE:
        raise ValueError(
            f"`{name}` is {rate:g}, expected a positive number of frames per second, at most "
            f"{_MAX_RATE:g}"
        )
    return rate


def thinned(num_frames: int, rate: float) -> np.ndarray:
    """Numbers of the frames that lie nearest to the multiples of 0.1 s.

    >>> thinned(25, 59.94)
    array([ 0,  6, 12, 18, 24])

    Args:
        num_frames: how many there are.
        rate: frames per second; at 10 or fewer, all frames are kept.
    """
    if rate <= POSES_PER_SECOND:
        return np.arange(num_frames)
    step = rate / POSES_PER_SECOND
    numbers = np.rint(np.arange(int(num_frames / step) + 2) * step).astype(np.int64)
    return numbers[numbers < num_frames]


def read_gender(path: pathlib.Path) -> str:
    """`female` or `male`; `neutral` for the neutral body, and where the file does not say."""
    try:
        value = read_arrays(path, ["gender"])["gender"].reshape(-1)[:1].tolist()
    except Exception:  # no gender, or one kept as a Python object
        return "neutral"
    # Some files hold text, some bytes, and some the text of bytes: "b'female'".
    text = str(value[0]).lower() if value else ""
    return next((gender for gender in GENDERS if gender in text), "neutral")
