"""Small data sets, and settings to train on them."""

import pytest
from small_data_sets import write_data_sets

from hmr_tf2.hmr.config import TrainConfig


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    return write_data_sets(tmp_path_factory.mktemp("records"))


@pytest.fixture
def own_data_dir(tmp_path):
    """The same records, to be damaged."""
    return write_data_sets(tmp_path)


@pytest.fixture
def config(data_dir):
    return TrainConfig(
        data_dir=str(data_dir),
        datasets=("lsp", "mpi_inf_3dhp"),
        mocap_datasets=("CMU",),
        batch_size=4,
        num_stage=2,
    )
