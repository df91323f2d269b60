"""What only two stacks can show, and the quickstart, which tests/test_readme.py runs on the first.

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


pytestmark = [
    pytest.mark.both_stacks,
    pytest.mark.skipif(not OTHER, reason="HMR_TF2_OTHER_PYTHON is not set."),
]


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


def test_the_quickstart_runs_from_the_wheel(installed_wheel, tmp_path):
    done = subprocess.run(
        [installed_wheel / "bin" / "hmr-quickstart", "--people=8", "--steps=2", "--batch_size=2"],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(installed_wheel)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "MPJPE" in done.stdout and "Next:" in done.stdout
    for noise in ("Traceback", "CUDA", "oneDNN", "Sharding", "%|"):
        assert noise not in done.stderr
    assert (tmp_path / "quickstart_out" / "results.html").is_file()
