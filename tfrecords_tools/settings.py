"""Settings of a conversion: one field a flag, checked before any work."""

import dataclasses
from typing import Any

from tfrecords_tools.plan import ConversionError

DATASETS = ("lsp", "lsp_ext", "mpii", "coco", "mpi_inf_3dhp", "h36m", "mosh")


def _setting(default: Any, help: str, group: str, **limits) -> Any:
    return dataclasses.field(default=default, metadata={"help": help, "group": group, **limits})


def _folder(help: str) -> Any:
    return _setting(None, help, "raw data")


@dataclasses.dataclass(frozen=True)
class ConvertSettings:
    """What to convert, from where, to where.

    Raises:
        ConversionError: a value is outside its limits; the message names the flag.
    """

    datasets: tuple[str, ...] = _setting((), "Data sets to convert.", "what", choices=DATASETS)
    data_dir: str | None = _setting(None, "Folder of the records, for the trainer.", "what")
    overwrite: bool = _setting(False, "Start afresh, whatever is in --data_dir.", "what")
    max_skipped: float = _setting(
        0.01, "Share of samples that may be unusable; more is an error at the end.", "what"
    )

    lsp_dir: str | None = _folder("LSP: joints.mat and images/.")
    lsp_ext_dir: str | None = _folder("LSP-extended: joints.mat and images/.")
    mpii_dir: str | None = _folder("MPII: annotations/ and images/.")
    coco_dir: str | None = _folder("COCO 2014: annotations/ and images/train2014 or train2014.")
    mpi_inf_3dhp_dir: str | None = _folder("MPI-INF-3DHP: S1/ to S8/.")
    h36m_dir: str | None = _folder("Human3.6M: S1/, S5/ ... with Videos/ and MyPoseFeatures/.")
    mosh_dir: str | None = _folder(
        "neutrMosh: neutrSMPL_CMU/, neutrSMPL_H3.6/, neutrSMPL_jointLim/. With it, h36m gets "
        "the SMPL labels of neutrSMPL_H3.6."
    )

    mpi_inf_3dhp_split: str = _setting(
        "train",
        "S1 to S7, or with S8 too.",
        "choices",
        choices=("train", "trainval"),
    )
    h36m_frame_step: int = _setting(
        5, "Every how many frames of 50 a second: 5 gives 10 a second.", "choices"
    )
    seed: int = _setting(0, "Of the shuffles of mpi_inf_3dhp and mosh.", "choices")
    examples_per_shard: int = _setting(500, "Of the data sets with pictures.", "choices")
    mocap_per_shard: int = _setting(10000, "Of mosh.", "choices")

    workers: int = _setting(0, "Processes; 0: one a core. Not in the records.", "speed")
    runner: str = _setting(
        "local", "Processes of this machine, or Apache Beam.", "speed", choices=("local", "beam")
    )
    beam_options: tuple[str, ...] = _setting(
        (), "Beam's own options without dashes, as runner=FlinkRunner,parallelism=8.", "speed"
    )

    def __post_init__(self):
        for field in dataclasses.fields(self):
            self._check_choice(field)
        if not self.datasets:
            raise ConversionError(f"--datasets is not set; it accepts {', '.join(DATASETS)}.")
        if not self.data_dir:
            raise ConversionError("--data_dir is not set: it names the folder of the records.")
        if not 0 <= self.max_skipped <= 1:
            raise ConversionError(f"--max_skipped must be 0 to 1; got {self.max_skipped}.")
        least = {"workers": 0, "seed": 0, "h36m_frame_step": 1}
        least |= {"examples_per_shard": 1, "mocap_per_shard": 1}
        for name, minimum in least.items():
            if getattr(self, name) < minimum:
                raise ConversionError(
                    f"--{name} must be at least {minimum}; got {getattr(self, name)}."
                )

    def _check_choice(self, field: dataclasses.Field) -> None:
        choices, value = field.metadata.get("choices"), getattr(self, field.name)
        for item in value if isinstance(value, tuple) else (value,):
            if choices and item not in choices:
                raise ConversionError(
                    f"--{field.name} accepts {', '.join(choices)}; got {item!r}."
                )
