"""Defines which recordings a data set is evaluated on, and how its numbers are grouped."""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Mapping

from tfrecords_tools import datasets
from tfrecords_tools.readers import human36m_names
from tfrecords_tools.readers.mpi_inf_3dhp_testset import ACTIVITIES, SEQUENCES

# The order of the paper's tables, which is not that of `human36m_names.ACTIONS`.
PAPER_ACTIONS = (
    "Directions Discussion Eating Greeting Phoning TakingPhoto Posing Purchases Sitting "
    "SittingDown Smoking Waiting WakingDog Walking WalkTogether"
).split()
_H36M_CAMERAS = {1: (0, 1, 2, 3), 2: (3,)}
_H36M_TRIALS = {1: (0, 1), 2: (0,)}

# Scenes of MPI-INF-3DHP's test sequences; each has two of them, in order.
SCENES = ("green screen", "no green screen", "outdoors")

ERRORS_3D = ("mpjpe_mm", "pa_mpjpe_mm")
ERRORS_2D = ("keypoint_px", "pck_torso", "pckh")
ERRORS_3DHP = ("mpjpe_mm", "pck_150mm", "auc", "pa_mpjpe_mm", "pa_pck_150mm", "pa_auc")


@dataclasses.dataclass(frozen=True)
class Recording:
    """A file of records; `group` is its group in the table of its protocol."""

    name: str
    file: str
    group: str | None = None


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What is evaluated, and how it is reported.

    Attributes:
        name: name of the folder of the results.
        people: name of the folder of the predictions, which protocols of the same people share.
        title: heading of the report.
        has_3d: whether 3-D joints are known.
        recordings: the recordings that are present.
        missing: names of the recordings that are not.
        grouped_by: what `Recording.group` means, such as an action; None for no groups.
        groups: the groups in the order of the table.
        columns: names of the measures (`summary.LABELS`) in the tables.
        equal_recordings: whether each recording counts the same in its group, however long it is.
        activities: names of the activity numbers, from 1, if frames have them.
    """

    name: str
    people: str
    title: str
    has_3d: bool
    recordings: tuple[Recording, ...]
    missing: tuple[str, ...] = ()
    grouped_by: str | None = None
    groups: tuple[str, ...] = ()
    columns: tuple[str, ...] = ERRORS_2D
    equal_recordings: bool = False
    activities: tuple[str, ...] = ()


def find(
    data_dir: str | os.PathLike | None, dataset: str, protocol: int = 1, split: str = "test"
) -> Protocol:
    """The protocol of a data set, with the recordings below `data_dir`.

    Args:
        data_dir: the folder that convert_datasets wrote.
        dataset: one of `datasets.DATASETS`.
        protocol: 1 or 2, for Human3.6M; other data sets ignore it.
        split: `test`, or `train` for all training people of any data set.

    Raises:
        ValueError, FileNotFoundError: there are no such records; the message says what to do.
    """
    found = datasets.find_files(data_dir, [dataset], split)[dataset]
    files = {pathlib.Path(file).stem: file for file in found}
    if split == "test" and dataset == "h36m":
        return _human36m(files, protocol)
    if split == "test" and dataset == "mpi_inf_3dhp":
        return _mpi_inf_3dhp(files)
    has_3d = datasets.DATA_SETS[dataset].has_3d
    return Protocol(
        name=f"{dataset}_{split}",
        people=f"{dataset}_{split}",
        title=f"{dataset}, {split} people",
        has_3d=has_3d,
        recordings=tuple(Recording(name, file) for name, file in files.items()),
        columns=ERRORS_3D + ERRORS_2D[:1] if has_3d else ERRORS_2D,
    )


def human36m_recordings(protocol: int) -> dict[str, str]:
    """Recording -> action of protocol 1 or 2, without the one whose video is damaged.

    Source: akanazawa/hmr src/benchmark/evaluate_h36m.py (get_h36m_seqs).
    """
    keys = itertools.product(
        human36m_names.TEST_SUBJECTS,
        human36m_names.ACTIONS,
        _H36M_TRIALS[protocol],
        _H36M_CAMERAS[protocol],
    )
    return {
        f"S{subject}_{action}_{trial}_cam{camera}": action
        for subject, action, trial, camera in keys
        if (subject, action, trial, camera) not in human36m_names.CORRUPT
    }


def _human36m(files: Mapping[str, str], protocol: int) -> Protocol:
    return _with_groups(
        files,
        human36m_recordings(protocol),
        name=f"h36m_protocol{protocol}",
        people="h36m_test",
        title=f"Human3.6M, protocol {protocol}",
        grouped_by="action",
        groups=tuple(PAPER_ACTIONS),
        columns=ERRORS_3D,
        equal_recordings=True,
    )


def _mpi_inf_3dhp(files: Mapping[str, str]) -> Protocol:
    return _with_groups(
        files,
        {name: SCENES[number // 2] for number, name in enumerate(SEQUENCES)},
        name="mpi_inf_3dhp_test",
        people="mpi_inf_3dhp_test",
        title="MPI-INF-3DHP, test set",
        grouped_by="scene",
        groups=SCENES,
        columns=ERRORS_3DHP,
        activities=ACTIVITIES,
    )


def _with_groups(files, group_of, **about) -> Protocol:
    found = {name: group for name, group in group_of.items() if name in files}
    if not found:
        raise FileNotFoundError(
            f"None of the {len(files)} files like {next(iter(files.values()))} is a recording of "
            f"{about['title']}; expected names such as {next(iter(group_of))}."
        )
    return Protocol(
        has_3d=True,
        recordings=tuple(Recording(name, files[name], group) for name, group in found.items()),
        missing=tuple(name for name in group_of if name not in found),
        **about,
    )
