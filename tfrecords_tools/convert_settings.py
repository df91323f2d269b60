"""The settings of a conversion: each field is a flag, and is checked before any work starts."""

import dataclasses
from typing import Any

from tfrecords_tools.datasets import RAW_DATASETS
from tfrecords_tools.settings import check_settings, setting


def _folder(help: str) -> Any:
    return setting(None, help, "raw data")


@dataclasses.dataclass(frozen=True)
class ConvertSettings:
    """What to convert, from where and to where.

    Raises:
        ValueError: a value is outside its limits; the message names the flag.
    """

    datasets: tuple[str, ...] = setting(
        (), "Data sets to convert, separated by commas.", "what", choices=RAW_DATASETS
    )
    data_dir: str = setting(
        "",
        "Folder to write the records to, from which the trainer reads them; an address such as "
        "gs://bucket/records will do.",
        "what",
    )
    overwrite: bool = setting(
        False,
        "Delete the records of these data sets in --data_dir and start from the beginning. "
        "Without it, a conversion continues where it was stopped.",
        "what",
    )
    max_skipped: float = setting(
        0.01,
        "Share of the samples, from 0 to 1, that may be unusable. If more are, the conversion "
        "ends with an error. Of amass, any number of sequences may be.",
        "what",
        minimum=0,
        maximum=1,
    )

    lsp_dir: str | None = _folder("Folder of LSP, which holds joints.mat and images/.")
    lsp_ext_dir: str | None = _folder(
        "Folder of LSP-extended, which holds joints.mat and images/."
    )
    mpii_dir: str | None = _folder("Folder of MPII, which holds annotations/ and images/.")
    coco_dir: str | None = _folder(
        "Folder of COCO 2014, or else of 2017, which holds annotations/ and images/train2014/ or "
        "train2014/."
    )
    coco_annotations: str | None = _folder(
        "Own data in place of COCO: a JSON file of any name in the form of its keypoint "
        "annotations, with COCO's 17 keypoints. --datasets=coco then takes it and not --coco_dir."
    )
    coco_images: str | None = _folder(
        "Folder of the pictures that --coco_annotations names, by file names that may begin with "
        "folders."
    )
    mpi_inf_3dhp_dir: str | None = _folder("Folder of MPI-INF-3DHP, which holds S1/ to S8/.")
    h36m_dir: str | None = _folder(
        "Folder of Human3.6M, which holds S1/, S5/ ... with Videos/ and MyPoseFeatures/ in each."
    )
    mosh_dir: str | None = _folder(
        "Folder of neutrMosh, which holds neutrSMPL_CMU/, neutrSMPL_H3.6/ and "
        "neutrSMPL_jointLim/. If it is given, h36m gets the SMPL labels of neutrSMPL_H3.6."
    )
    amass_dir: str | None = _folder(
        "Folder of AMASS, which holds files *_poses.npz or *_stageii.npz at any depth."
    )

    mpi_inf_3dhp_split: str = setting(
        "train",
        "Subjects of MPI-INF-3DHP to convert for training: S1 to S7, or S1 to S8 for trainval.",
        "choices",
        choices=("train", "trainval"),
    )
    h36m_frame_step: int = setting(
        5,
        "Keep one frame of Human3.6M out of this many. The videos have 50 frames per second, so "
        "5 keeps 10 per second.",
        "choices",
        minimum=1,
    )
    seed: int = setting(
        0, "Random seed for shuffling mpi_inf_3dhp, mosh and amass.", "choices", minimum=0
    )
    examples_per_shard: int = setting(
        500, "Number of examples per shard of a data set with pictures.", "choices", minimum=1
    )
    mocap_per_shard: int = setting(
        10000,
        "Number of poses per shard of mosh and of amass.",
        "choices",
        minimum=1,
    )

    workers: int = setting(
        0,
        "Number of worker processes; 0 starts one per core. The records do not depend on it.",
        "speed",
        minimum=0,
    )
    runner: str = setting(
        "local",
        "What does the work: local processes on this machine, or Apache Beam.",
        "speed",
        choices=("local", "beam"),
    )
    beam_options: tuple[str, ...] = setting(
        (),
        "Options for Beam itself, without dashes, such as runner=FlinkRunner,parallelism=8.",
        "speed",
    )

    def __post_init__(self):
        check_settings(self)
        if not self.datasets:
            raise ValueError(f"--datasets is not set; it accepts {', '.join(RAW_DATASETS)}.")
        if not self.data_dir:
            raise ValueError("--data_dir is not set: it names the folder of the records.")
