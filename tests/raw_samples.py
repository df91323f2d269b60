"""The raw samples beside this file, and how they are converted."""

import dataclasses
import os
import pathlib

from tfrecords_tools.convert_settings import ConvertSettings

RAW = pathlib.Path(__file__).parent / "samples" / "raw"


def conversion(data_dir: str | os.PathLike, **changed) -> ConvertSettings:
    """Settings that make LSP, MPI-INF-3DHP and MoSh records, in this process."""
    settings = ConvertSettings(
        datasets=("lsp", "mpi_inf_3dhp", "mosh"),
        data_dir=os.fspath(data_dir),
        max_skipped=1.0,
        lsp_dir=str(RAW / "lsp_dataset"),
        mpi_inf_3dhp_dir=str(RAW / "mpi_inf_3dhp"),
        mosh_dir=str(RAW / "neutrMosh"),
        workers=1,
    )
    return dataclasses.replace(settings, **changed)
