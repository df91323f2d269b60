"""`python -m hmr_tf2.standin`: what it writes, and what it says of mistakes."""

import json
import subprocess
import sys

import pytest


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "hmr_tf2.standin", *arguments],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "--out is needed"),
        (["--out=x", "--people=0"], "--people must be at least 1"),
        (["--out=x", "--datasets=lsp,foo"], "--datasets accepts lsp, lsp_ext, mpii"),
        (["--out=x", "--datasets="], "--datasets names no data set"),
        (["--out=x", "--turn=200"], "--turn must be below 181"),
        (["--out=x", "--sheet=sheet.gif"], "--sheet must end with .png or .jpg"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_1(arguments, message):
    done = run(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {message}")


def test_a_folder_of_another_order_is_refused_and_left_alone(tmp_path):
    arguments = [f"--out={tmp_path}", "--people=2", "--datasets=mosh"]
    done = run(*arguments, "--seed=3", f"--models={tmp_path / 'models'}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "models" / "neutral_smpl_with_cocoplus_reg.pkl").is_file()
    receipt = tmp_path / "neutrMosh" / "neutrSMPL_CMU" / "standin.json"
    assert json.loads(receipt.read_text())["seed"] == 3
    again = run(*arguments, "--seed=4")
    assert again.returncode == 1
    assert "Error: " in again.stderr and "remove it or choose another folder" in again.stderr
    assert "Traceback" not in again.stderr
    assert json.loads(receipt.read_text())["seed"] == 3


def test_people_are_drawn_without_tensorflow(tmp_path):
    script = (
        "import sys\n"
        "from hmr_tf2.standin.__main__ import StandinSettings, main\n"
        f"main(StandinSettings(out={str(tmp_path)!r}, people=2, datasets=('lsp', 'lsp_ext')))\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lsp_dataset" / "joints.mat").is_file()
