"""An import leaves the process as it was, and a command's help needs no TensorFlow."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
MODULES = sorted([*ROOT.glob("hmr_tf2/**/*.py"), *ROOT.glob("tfrecords_tools/**/*.py")])
MAIN = 'if __name__ == "__main__":'
COMMANDS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for path in MODULES
    if MAIN in path.read_text(encoding="utf-8")
]


def python(script: str, *arguments: str) -> subprocess.CompletedProcess:
    """Runs a script in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_importing_the_packages_changes_nothing_in_the_process():
    done = python(
        "import os, sys, warnings\n"
        "def state():\n"
        "    return (*sys.meta_path,), {**os.environ}, (*warnings.filters,), os.fstat(2)[:3]\n"
        "before = state()\n"
        "import hmr_tf2, tfrecords_tools\n"
        "assert state() == before\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_no_tensorflow(command):
    done = python(
        "import runpy, sys\n"
        "sys.argv[1:] = ['--help']\n"
        "try:\n"
        f"    runpy.run_module({command!r}, run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and f"python -m {command}" in done.stdout
