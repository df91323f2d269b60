"""A newcomer who has the wheel and the README runs all of it, in order; here in small."""

import contextlib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import cv2
import loopback
import pytest
import tensorflow as tf

from hmr_tf2 import quickstart
from hmr_tf2.checkpoints import run_folder

ROOT = pathlib.Path(__file__).parents[1]
# These install what is installed already, and call the tests.
SET_UP = {"make quickstart": "python -m hmr_tf2.quickstart", "make test": None}
# Beginning of a command -> what is added to it, to make it small.
IN_SMALL = {
    "python -m hmr_tf2.convert_datasets": "--workers=1",
    "python -m hmr_tf2.quickstart": "--people=8 --steps=2 --batch_size=2",
    "python -m hmr_tf2.standin": "--people=8",
    "python -m hmr_tf2.train": (
        "--batch_size=2 --epoch=1 --steps_per_epoch=2 --model_type=small_resnet_fc3_dropout"
    ),
    "python -m hmr_tf2.evaluate": "--frame_step=3 --num_pictures=2",
}

NOISES = ("Traceback", "CUDA", "oneDNN", "TensorRT", "Sharding", "%|")


def blocks():
    """(language, text) of each block of code in the README, in order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands_of(block: str) -> list[str]:
    """The commands of a block, each in one line, without comments."""
    lines = block.replace("\\\n", " ").splitlines()
    return [" ".join(shlex.split(line, comments=True)) for line in lines]


def in_small(command: str) -> str:
    more = (text for start, text in IN_SMALL.items() if command.startswith(start))
    return " ".join([command, *more])


class Newcomer:
    """Someone in an empty folder, with the wheel installed."""

    def __init__(self, home: pathlib.Path, installed: pathlib.Path):
        self.home = home
        programs = [str(installed / "bin"), os.path.dirname(sys.executable), os.environ["PATH"]]
        self.env = {
            **os.environ,
            "PATH": os.pathsep.join(programs),
            "PYTHONPATH": str(installed),
            "CUDA_VISIBLE_DEVICES": "",
        }
        self.printed = ""

    def run(self, *command: str) -> None:
        done = subprocess.run(
            command, cwd=self.home, env=self.env, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        # That one is TensorFlow's own program.
        for noise in () if command[0] == "saved_model_cli" else NOISES:
            assert noise not in done.stderr, f"{command}:\n{done.stderr}"
        self.printed += done.stdout

    @contextlib.contextmanager
    def server(self):
        """What the README asks at localhost:8500; gives the address it has here."""
        exported = tf.saved_model.load(str(self.home / "serving" / "hmr" / "1"))
        with loopback.grpc_server(exported.signatures) as address:
            yield address


@pytest.fixture
def newcomer(tmp_path, installed_wheel):
    return Newcomer(tmp_path, installed_wheel)


def test_every_command_of_the_readme_runs_in_its_order(newcomer, reference_files):
    home = newcomer.home
    for language, block in blocks():
        if language == "text":
            continue
        if language == "python":
            # The authors' checkpoint and SMPL file, or others of the same shape.
            shutil.copytree(reference_files(0), home / "models", dirs_exist_ok=True)
            newcomer.run(sys.executable, "-c", block)
            continue
        for command in commands_of(block):
            if not (command := SET_UP.get(command, command)):
                continue
            if command.startswith("python -m hmr_tf2.client"):
                with newcomer.server() as address:
                    newcomer.run(*shlex.split(command.replace("localhost:8500", address)))
                continue
            newcomer.run(*shlex.split(in_small(command)))
            if "standin" in command:
                picture = cv2.imread(str(home / "raw" / "lsp_dataset" / "images" / "im0001.jpg"))
                cv2.imwrite(str(home / "picture.jpg"), picture)

    # What the README says of the quickstart.
    for title in (
        "Make a stand-in",
        "Convert the raw",
        "Train 2 steps",
        "Export a",
        "Load it",
        "Total",
        "MPJPE",
        "Next:",
    ):
        assert title in newcomer.printed
    made = home / "quickstart_out"
    assert run_folder.latest_checkpoint(made / "run").endswith("ckpt-2")
    assert (made / "serving" / "hmr" / "1" / "saved_model.pb").is_file()
    assert cv2.imread(str(made / "result.png")).shape == (4 * 224, 2 * 4 * 224, 3)
    page = (made / "results.html").read_text()
    assert page.count("data:image/png;base64,") == quickstart.NUM_SHOWN
    assert "kp_loss_stage2" in page and "val/" not in page and "mpjpe_mm" in page
    # What it says of the commands.
    assert cv2.imread(str(home / "sheet.png")) is not None
    assert cv2.imread(str(home / "contact_sheet.png")) is not None
    assert run_folder.latest_checkpoint(home / "run").endswith("ckpt-2")
    for folder in ("h36m_protocol1", "mpi_inf_3dhp_test", "coco_test"):
        for name in ("report.html", "results.json", "frames.csv"):
            assert (home / "evaluation" / folder / name).is_file()
    for folder in ("demo_out/picture", "client_out/picture"):
        assert (home / folder / "overlay.png").is_file()
        assert (home / folder / "viewer.html").is_file()
    assert (home / "serving" / "hmr" / "1" / "saved_model.pb").is_file()
