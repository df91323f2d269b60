"""The number of the version stands in one place and is told everywhere."""

import pathlib
import subprocess
import sys

import pytest

import hmr_tf2

ROOT = pathlib.Path(__file__).parents[1]


def test_setup_py_reads_the_number_without_importing_the_package():
    program = (
        "import runpy, sys; sys.argv = ['setup.py', '--version']; runpy.run_path('setup.py'); "
        "sys.exit(bool({'hmr_tf2', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout.split()[-1] == hmr_tf2.__version__


@pytest.mark.parametrize("command", ["train", "export"])
def test_every_command_tells_its_version(command):
    done = subprocess.run(
        [sys.executable, "-m", f"hmr_tf2.{command}", "--version"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, f"hmr_tf2 {hmr_tf2.__version__}\n")


def test_the_exports_own_flag_of_that_name_still_takes_a_number():
    done = subprocess.run(
        [sys.executable, "-m", "hmr_tf2.export", "--version=0", "--load_path=a", "--export_dir=b"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "--version must be at least 1; got 0." in done.stderr
