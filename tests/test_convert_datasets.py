"""Claims about `python -m hmr_tf2.convert_datasets`; the rest is in tfrecords_tools."""

import os
import pathlib
import re
import subprocess
import sys

from tfrecords_tools.datasets import RAW_DATASETS

RAW = pathlib.Path(__file__).parent / "samples" / "raw"
ROOT = pathlib.Path(__file__).parents[1]


def run(*flags: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "hmr_tf2.convert_datasets", *flags],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_the_command_converts_and_prints_a_table(tmp_path):
    done = run(
        "--datasets=lsp,mosh",
        f"--lsp_dir={RAW / 'lsp_dataset'}",
        f"--mosh_dir={RAW / 'neutrMosh'}",
        f"--data_dir={tmp_path}",
    )
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if line}
    assert rows["lsp/train"] == "6" and rows["mosh/CMU"] == "25"
    for noise in ("CUDA", "oneDNN", "TensorRT", "Traceback"):
        assert noise not in done.stderr


def test_a_users_mistake_is_one_message_and_exit_code_1(tmp_path):
    cases = {
        ("--datasets=lsp", "--lsp_dir=/nowhere"): "--lsp_dir=/nowhere does not exist",
        ("--datasets=lps",): "--datasets accepts lsp, lsp_ext",
    }
    for flags, message in cases.items():
        done = run(*flags, f"--data_dir={tmp_path / 'out'}")
        assert done.returncode == 1
        assert message in done.stderr and "Traceback" not in done.stderr
        assert not (tmp_path / "out").exists()


def test_the_flagfile_names_every_data_set_of_the_paper_and_every_folder():
    text = (ROOT / "flags" / "convert.cfg").read_text()
    named = re.search("^--datasets=(.*)$", text, re.MULTILINE)[1].split(",")
    assert sorted([*named, "amass"]) == sorted(RAW_DATASETS)  # it stands in for mosh
    for name in RAW_DATASETS:
        assert f"--{name}_dir=" in text
