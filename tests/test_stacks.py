"""What one stack writes the other reads, with the same numbers.

`make test-other-stack` names the Python of the other stack in HMR_TF2_OTHER_PYTHON.
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

EXCHANGE = pathlib.Path(__file__).with_name("exchange.py")
OTHER = os.environ.get("HMR_TF2_OTHER_PYTHON", "")


def run(python, *arguments):
    done = subprocess.run(
        [python, EXCHANGE, *arguments],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(EXCHANGE.parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.both_stacks
@pytest.mark.skipif(not OTHER, reason="HMR_TF2_OTHER_PYTHON names no Python of the other stack.")
@pytest.mark.parametrize("writer, reader", [(OTHER, sys.executable), (sys.executable, OTHER)])
def test_a_run_and_an_export_of_one_stack_give_the_same_numbers_on_the_other(
    writer, reader, small_smpl_path, tmp_path
):
    run(writer, "write", tmp_path, small_smpl_path)
    run(reader, "read", tmp_path, tmp_path / "read.npz")
    written, read = np.load(tmp_path / "written.npz"), np.load(tmp_path / "read.npz")
    assert sorted(written.files) == sorted(read.files)
    assert written["tensorflow"] != read["tensorflow"]
    for name in set(written.files) - {"tensorflow"}:
        # Sums in another order; joints in pixels are hundreds.
        np.testing.assert_allclose(read[name], written[name], rtol=1e-4, atol=2e-4, err_msg=name)
