"""Fixtures: the raw samples, and one conversion of them that many tests look at."""

import pathlib

import numpy as np
import pytest

from tfrecords_tools.convert import convert
from tfrecords_tools.convert_settings import ConvertSettings

RAW = pathlib.Path(__file__).parents[1] / "samples" / "raw"

FOLDERS = {
    "lsp_dir": RAW / "lsp_dataset",
    "lsp_ext_dir": RAW / "lsp_extended",
    "mpii_dir": RAW / "mpii",
    "coco_dir": RAW / "coco",
    "mpi_inf_3dhp_dir": RAW / "mpi_inf_3dhp",
    "h36m_dir": RAW / "human36m",
    "mosh_dir": RAW / "neutrMosh",
}


@pytest.fixture(scope="session")
def raw() -> pathlib.Path:
    """The folder of the raw samples."""
    return RAW


@pytest.fixture(scope="session")
def amass(tmp_path_factory) -> pathlib.Path:
    """A folder of AMASS with one sequence of 24 frames at 120 per second."""
    folder = tmp_path_factory.mktemp("amass")
    (folder / "CMU" / "01").mkdir(parents=True)
    poses = np.random.default_rng(0).normal(0, 0.3, (24, 156))
    about = {"betas": np.zeros(16), "gender": "neutral", "mocap_framerate": 120.0}
    np.savez(folder / "CMU" / "01" / "01_01_poses.npz", poses=poses, trans=poses[:, :3], **about)
    return folder


@pytest.fixture(scope="session")
def settings(amass):
    """Makes `ConvertSettings` for the raw samples; arguments replace its fields."""

    def make(data_dir, *datasets, **changes) -> ConvertSettings:
        folders = {name: str(path) for name, path in {**FOLDERS, "amass_dir": amass}.items()}
        values = {"workers": 1, **folders, **changes}
        return ConvertSettings(datasets=datasets, data_dir=str(data_dir), **values)

    return make


@pytest.fixture(scope="session")
def converted(tmp_path_factory, settings) -> pathlib.Path:
    """The records of all samples but Human3.6M.

    Only two of the eight cameras of MPI-INF-3DHP are among the samples, so most frames are
    missing and the limit of skips is off.
    """
    data_dir = tmp_path_factory.mktemp("records")
    names = ("lsp", "lsp_ext", "mpii", "coco", "mpi_inf_3dhp", "mosh")
    convert(settings(data_dir, *names, max_skipped=1.0))
    return data_dir
