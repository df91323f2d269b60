"""Settings of a conversion: one field a flag, checked before any work."""

import dataclasses
from typing import Any

from tfrecords_tools.datasets import RAW_DATASETS
from tfrecords_tools.settings import check_settings, setting


def _folder(help: str) -> Any:
    return setting(None, help, "raw data")


@dataclasses.dataclass(frozen=True)
class ConvertSettings:
    """What to convert, from where, to where.

    Raises:
        ValueError: a value is outside its limits; the message names the flag.
    """

    datasets: tuple[str, ...] = setting((), "Data sets to convert.", "what", choices=RAW_DATASETS)
    data_dir: str = setting(
        "", "Folder that the records are written to, for the trainer to read.", "what"
    )
    overwrite: bool = setting(False, "Start afresh, whatever is in --data_dir.", "what")
    max_skipped: float = setting(
        0.01,
        "Share of samples that may be unusable; more is an error at the end.",
        "what",
        minimum=0,
        maximum=1,
    )

    lsp_dir: str | None = _folder("Folder of LSP, with joints.mat and images/.")
    lsp_ext_dir: str | None = _folder("Folder of LSP-extended, with joints.mat and images/.")
    mpii_dir: str | None = _folder("Folder of MPII, with annotations/ and images/.")
    coco_dir: str | None = _folder(
        "Folder of COCO 2014, with annotations/ and images/train2014 or train2014."
    )
    mpi_inf_3dhp_dir: str | None = _folder("Folder of MPI-INF-3DHP, with S1/ to S8/.")
    h36m_dir: str | None = _folder(
        "Folder of Human3.6M: S1/, S5/ ... with Videos/ and MyPoseFeatures/."
    )
    mosh_dir: str | None = _folder(
        "Folder of neutrMosh, with neutrSMPL_CMU/, neutrSMPL_H3.6/ and neutrSMPL_jointLim/. With "
        "it, h36m gets the SMPL labels of neutrSMPL_H3.6."
    )

    mpi_inf_3dhp_split: str = setting(
        "train",
        "Subjects of MPI-INF-3DHP to train on: S1 to S7, or S8 too.",
        "choices",
        choices=("train", "trainval"),
    )
    h36m_frame_step: int = setting(
        5,
        "Take every so many frames of Human3.6M's 50 a second: 5 gives 10 a second.",
        "choices",
        minimum=1,
    )
    seed: int = setting(0, "Seed of the shuffles of mpi_inf_3dhp and mosh.", "choices", minimum=0)
    examples_per_shard: int = setting(
        500, "Examples in a shard of a data set with pictures.", "choices", minimum=1
    )
    mocap_per_shard: int = setting(10000, "Poses in a shard of mosh.", "choices", minimum=1)

    workers: int = setting(
        0,
        "Worker processes; 0 means one a core. The records do not depend on it.",
        "speed",
        minimum=0,
    )
    runner: str = setting(
        "local",
        "Whether to work in processes of this machine or by Apache Beam.",
        "speed",
        choices=("local", "beam"),
    )
    beam_options: tuple[str, ...] = setting(
        (), "Beam's own options without dashes, as runner=FlinkRunner,parallelism=8.", "speed"
    )

    def __post_init__(self):
        check_settings(self)
        if not self.datasets:
            raise ValueError(f"--datasets is not set; it accepts {', '.join(RAW_DATASETS)}.")
        if not self.data_dir:
            raise ValueError("--data_dir is not set: it names the folder of the records.")
