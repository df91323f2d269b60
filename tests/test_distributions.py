"""What pip gets: the source distribution and the wheel; tests/test_readme.py uses the wheel."""

import email
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import pytest

import hmr_tf2
from hmr_tf2 import commands, flagfiles

ROOT = pathlib.Path(__file__).parents[1]
PROGRAMS = ("hmr-quickstart", "hmr-convert", "hmr-train", "hmr-evaluate", "hmr-demo", "hmr-export")


def files_of(*folders: str) -> set[str]:
    """The files in folders of the repository, without what Python makes by itself."""
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in ROOT.joinpath(folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_packages_with_their_files_and_the_flag_files(distributions):
    with zipfile.ZipFile(distributions[1]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    flags = {f"hmr_tf2/{name}" for name in files_of("flags")}
    assert names == files_of("hmr_tf2", "tfrecords_tools") | flags


def test_the_source_distribution_can_be_worked_with(distributions):
    with tarfile.open(distributions[0]) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    wanted = files_of(
        "hmr_tf2", "tfrecords_tools", "flags", "constraints", "tests", "tools", "docs"
    )
    assert wanted | {"setup.py", "README.md", "LICENSE", "Makefile", "CHANGELOG.md"} <= names


def test_the_metadata_says_what_an_index_shows(distributions):
    with zipfile.ZipFile(distributions[1]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        about = email.message_from_bytes(wheel.read(name))
        assert wheel.read(name.replace("METADATA", "licenses/LICENSE"))
    assert about["Version"] == hmr_tf2.__version__
    assert set(about["Requires-Python"].split(",")) == {">=3.10", "<3.14"}
    for python in ("3.10", "3.11", "3.12", "3.13"):
        assert f"Programming Language :: Python :: {python}" in about.get_all("Classifier")
    assert {url.partition(",")[0] for url in about.get_all("Project-URL")} >= {"Paper"}
    assert "gpu" in about.get_all("Provides-Extra")


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program_helps(program, installed_wheel, tmp_path):
    done = subprocess.run(
        [sys.executable, installed_wheel / "bin" / program, "--help"],
        env={"PYTHONPATH": str(installed_wheel)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--flagfile=FILE" in done.stdout


def test_a_flagfile_that_comes_along_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = f"--flagfile={flagfiles.SHIPPED / 'hmr.cfg'}"
    for arguments in (
        ["--flagfile=flags/hmr.cfg"],
        ["-flagfile=flags/hmr.cfg"],
        ["--flagfile", "flags/hmr.cfg"],
        ["--flagfile=flags\\hmr.cfg"],
    ):
        found = commands.with_shipped_flagfiles(["train", *arguments, "--seed=1"])
        assert found == ["train", shipped, "--seed=1"]
    for other in ("--flagfile=flags/absent.cfg", "--flagfile=hmr.cfg", "flags/hmr.cfg"):
        assert commands.with_shipped_flagfiles([other]) == [other]


def test_the_users_own_flagfile_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flags").mkdir()
    (tmp_path / "flags" / "hmr.cfg").touch()
    arguments = ["--flagfile=flags/hmr.cfg"]
    assert commands.with_shipped_flagfiles(arguments) == arguments
