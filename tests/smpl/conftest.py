"""Bodies in poses, and the small model file with other contents."""

import pickle

import numpy as np
import pytest

from hmr_tf2.smpl import load_smpl_file


@pytest.fixture(scope="session")
def bodies():
    """Shapes float32 [5, 10] and poses float32 [5, 72]; the second at rest."""
    rng = np.random.default_rng(1)
    theta = rng.normal(0, 0.6, (5, 72)).astype(np.float32)
    theta[1] = 0.0
    return rng.normal(0, 1, (5, 10)).astype(np.float32), theta


@pytest.fixture
def edited_smpl_file(small_smpl_path, tmp_path):
    """edited_smpl_file(weights=...) -> path of the small body's file with these entries."""

    def write(**entries):
        path = tmp_path / "edited.pkl"
        path.write_bytes(pickle.dumps(load_smpl_file(small_smpl_path) | entries))
        return path

    return write
