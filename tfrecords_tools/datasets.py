"""Describes every data set once: its name, where its records lie, and what they hold.

A new data set needs an entry in `DATA_SETS`, a reader in `readers/`, the flag of its raw folder in
`convert_settings.py` and its plans in `convert.PLANS`; flags, help and messages follow from these.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence

from tfrecords_tools.paths import path_of

# What one record holds: a person in a picture, or a motion capture pose without a picture.
PICTURE, MOCAP = "picture", "mocap"


@dataclasses.dataclass(frozen=True)
class DataSet:
    """One data set as records.

    Attributes:
        name: as it appears in flags and results.
        train: glob pattern of the training records below the data folder; None if it has none.
        test: the same for the people who are set aside for testing.
        kind: `PICTURE` or `MOCAP`.
        has_3d: whether the records have 3-D joints.
        part_of: name of the raw data, if several data sets are made from the same.
        has_standin: whether `hmr_tf2.standin` can write raw data in this layout.
    """

    name: str
    train: str | None
    test: str | None = None
    kind: str = PICTURE
    has_3d: bool = False
    part_of: str | None = None
    has_standin: bool = False

    @property
    def raw(self) -> str:
        """What `convert_datasets --datasets` calls the raw data that it is made from."""
        return self.part_of or self.name

    @property
    def has_test(self) -> bool:
        """Whether people are set aside for testing."""
        return self.test is not None

    def pattern(self, split: str) -> str | None:
        """The pattern `train` or `test`, chosen by name."""
        return {"train": self.train, "test": self.test}[split]


# In the order in which help and messages list them.
DATA_SETS: Mapping[str, DataSet] = {
    data_set.name: data_set
    for data_set in (
        # Leeds Sports Pose, and its extension.
        DataSet("lsp", "lsp/train_*.tfrecord", "lsp/test_*.tfrecord", has_standin=True),
        DataSet("lsp_ext", "lsp_ext/train_*.tfrecord", has_standin=True),
        # MPII Human Pose.
        DataSet("mpii", "mpii/train_*.tfrecord", has_standin=True),
        # The people of COCO 2014.
        DataSet(
            "coco", "coco/train_*_wmeta.tfrecord", "coco/val_*_wmeta.tfrecord", has_standin=True
        ),
        # Human3.6M, with the SMPL labels that MoSh fitted to its markers.
        DataSet(
            "h36m",
            "tf_records_human36m_wjoints/train/*.tfrecord",
            "tf_records_human36m_wjoints/test/*.tfrecord",
            has_3d=True,
            has_standin=True,
        ),
        DataSet(
            "mpi_inf_3dhp",
            "mpi_inf_3dhp/train/train_*.tfrecord",
            "mpi_inf_3dhp/test/*.tfrecord",
            has_3d=True,
            has_standin=True,
        ),
        # Motion capture from three sources, to which MoSh fitted SMPL.
        *(
            DataSet(
                name,
                f"mocap_neutrMosh/neutrSMPL_{name}_*.tfrecord",
                kind=MOCAP,
                part_of="mosh",
                has_standin=True,
            )
            for name in ("CMU", "H3.6", "jointLim")
        ),
        # Motion capture of many sources, which MoSh++ fitted; for those who have no neutrMosh.
        DataSet("amass", "mocap_amass/amass_*.tfrecord", kind=MOCAP),
    )
}


def names_of(**attributes: object) -> tuple[str, ...]:
    """The data sets that have these attributes, in the order of `DATA_SETS`.

    >>> names_of(kind=PICTURE, has_3d=True)
    ('h36m', 'mpi_inf_3dhp')
    """
    return tuple(
        name
        for name, data_set in DATA_SETS.items()
        if all(getattr(data_set, key) == value for key, value in attributes.items())
    )


DATASETS = names_of(kind=PICTURE)
DATASETS_3D = names_of(kind=PICTURE, has_3d=True)
MOCAP_DATASETS = names_of(kind=MOCAP)
# What the original's prior learns from.
MOSH_DATASETS = names_of(raw="mosh")
# The names for the converter: one for each raw data set that can be downloaded.
RAW_DATASETS = tuple(dict.fromkeys(data_set.raw for data_set in DATA_SETS.values()))
STANDIN_DATASETS = tuple(dict.fromkeys(DATA_SETS[name].raw for name in names_of(has_standin=True)))


def find_files(
    data_dir: str | os.PathLike | None, names: Sequence[str], split: str = "train"
) -> dict[str, list[str]]:
    """The record files of data sets, sorted.

    Args:
        data_dir: the folder that convert_datasets wrote.
        names: some of `DATA_SETS`.
        split: `train`, or `test` for the people that are set aside.

    Returns:
        The files of each of `names`, at least one.

    Raises:
        ValueError: `data_dir` is not given, or a data set is unknown or has no such split.
        FileNotFoundError: some data sets have no files; the message lists all of these, what is
            there, and how to make the rest.
    """
    if not data_dir:
        raise ValueError("--data_dir is needed: the folder that convert_datasets wrote.")
    for name in names:
        _check_split(name, split)
    found = {name: _matching(data_dir, name, split) for name in names}
    missing = [name for name, files in found.items() if not files]
    if missing:
        raise FileNotFoundError(_about_missing(data_dir, missing, split))
    return found


def _check_split(name: str, split: str) -> None:
    if name not in DATA_SETS:
        raise ValueError(f"There is no data set {name!r}; there are {', '.join(DATA_SETS)}.")
    if DATA_SETS[name].pattern(split) is None:
        possible = [other for other, about in DATA_SETS.items() if about.pattern(split)]
        remedy = " It can be evaluated on its training set, with --split=train."
        raise ValueError(
            f"{name!r} has no {split} records; {', '.join(possible)} have them."
            + (remedy if split == "test" else "")
        )


def _matching(data_dir: str | os.PathLike, name: str, split: str) -> list[str]:
    pattern = DATA_SETS[name].pattern(split)
    if pattern is None:
        return []
    found = path_of(data_dir).glob(pattern)
    return sorted(os.fspath(path) for path in found if not path.name.startswith("."))


def _about_missing(data_dir: str | os.PathLike, missing: Sequence[str], split: str) -> str:
    folder = path_of(data_dir)
    if not folder.is_dir():
        return (
            f"There is no folder {folder}, which --data_dir names. Give the one that "
            "`python -m hmr_tf2.convert_datasets` wrote to."
        )
    lines = [
        f"  nothing matches {folder / str(DATA_SETS[name].pattern(split))}" for name in missing
    ]
    present = [name for name in DATA_SETS if _matching(data_dir, name, split)]
    raw = ",".join(dict.fromkeys(DATA_SETS[name].raw for name in missing))
    return "\n".join(
        [
            f"No records of {', '.join(map(repr, missing))}:",
            *lines,
            f"Present in {data_dir}: {', '.join(present) or 'nothing'}.",
            f"Write them with `python -m hmr_tf2.convert_datasets --datasets={raw}`, or leave "
            "them out; docs/data.md says which raw files each takes.",
        ]
    )
