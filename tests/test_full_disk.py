"""On a disk that is full every command ends with one sentence, and leaves nothing half-written.

The disk is a real one of a few kilobytes, in memory; only root may mount it.
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from hmr_tf2.standin import body, raw_layouts
from hmr_tf2.visualization.video_file import video_writer
from tfrecords_tools.convert import convert
from tfrecords_tools.convert_settings import ConvertSettings
from tfrecords_tools.files import NotWrittenError

ROOT = pathlib.Path(__file__).parents[1]
RAW = pathlib.Path(__file__).parent / "samples" / "raw"

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path):
    """small_disk(size) -> a folder on a disk of that size, such as "100k"."""
    mounted = []

    def mount(size):
        folder = tmp_path / "disk"
        folder.mkdir()
        options = f"size={size},mode=777"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder])
        if done.returncode:
            pytest.skip("only root may mount a small disk")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="module")
def run(untrained, save_run, tmp_path_factory):
    return save_run(untrained, tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Raw data and records of a few stand-in people."""
    folder = tmp_path_factory.mktemp("people")
    raw = raw_layouts.write_raw(folder / "raw", 8, datasets=["coco"])
    body.write_model_files(folder / "models")
    convert(
        ConvertSettings(
            datasets=("coco",), data_dir=str(folder / "records"), coco_dir=str(raw["coco"])
        )
    )
    return folder


def end_of(*command):
    """What a command says that must end for want of room."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("No space left on device") == 1, done.stderr
    message = done.stderr[done.stderr.index("Error: ") :]
    assert "No space left on device" in message and "[Errno" not in message
    assert "make room" in message.lower() and "run the same command again" in message
    return done


def visible(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_standin(small_disk):
    disk = small_disk("200k")
    end_of("hmr_tf2.standin", f"--out={disk / 'raw'}", "--people=100", "--datasets=lsp")
    assert visible(disk) == []


def test_convert(small_disk):
    disk = small_disk("24k")
    lsp = RAW / "lsp_dataset"
    end_of(
        "hmr_tf2.convert_datasets",
        "--datasets=lsp",
        f"--lsp_dir={lsp}",
        f"--data_dir={disk / 'r'}",
    )
    assert not [name for name in visible(disk) if name.endswith(".tfrecord")]


def test_evaluate(small_disk, run, people):
    disk = small_disk("16k")
    end_of(
        "hmr_tf2.evaluate",
        f"--load_path={run}",
        f"--data_dir={people / 'records'}",
        "--datasets=coco",
        f"--out_dir={disk / 'evaluation'}",
    )
    assert not [name for name in visible(disk) if name.endswith((".h5", ".html"))]


@pytest.mark.parametrize("size", ["40k", "400k"])
def test_demo(small_disk, run, people, size):
    disk = small_disk(size)
    end_of(
        "hmr_tf2.demo",
        f"--load_path={run}",
        f"--img_path={people / 'raw' / 'coco' / 'images' / 'val2014'}",
        f"--out_dir={disk / 'out'}",
    )
    assert not [name for name in visible(disk) if ".partial" in name]


@pytest.mark.parametrize("size", ["40k", "200k"])
def test_film(small_disk, size):
    disk, picture = small_disk(size), np.random.default_rng(0).integers(0, 256, (240, 320, 3))
    with pytest.raises(NotWrittenError, match="a.mp4 cannot be written: No space left on device"):
        with video_writer(disk / "a.mp4", (320, 240), 25.0) as append:
            for shift in range(60):
                append(np.roll(picture, 7 * shift, axis=1).astype(np.uint8))
    assert visible(disk) == []


def test_export(small_disk, run):
    disk = small_disk("1m")
    end_of("hmr_tf2.export", f"--load_path={run}", f"--export_dir={disk / 'hmr'}")
    assert visible(disk) == []
