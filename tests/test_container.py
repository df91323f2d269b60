"""What can be said of the container's files without Docker: what they name is there."""

import dataclasses
import fnmatch
import importlib.util
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from hmr_tf2.quickstart import QuickstartSettings

ROOT = pathlib.Path(__file__).parents[1]


def stages() -> list[list[tuple[str, str]]]:
    """The (instruction, arguments) of each stage of the Dockerfile, from its FROM on."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.M)
    found: list[list[tuple[str, str]]] = [[]]
    for line in filter(None, text.replace("\\\n", "").splitlines()):
        instruction, arguments = line.split(maxsplit=1)
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, arguments))
    return found[1:]


def arguments_of(instruction: str) -> list[str]:
    """The arguments of each such instruction of the last stage, which is the image."""
    return [arguments for name, arguments in stages()[-1] if name == instruction]


def sources() -> list[list[str]]:
    """What each COPY takes."""
    return [shlex.split(copy)[:-1] for copy in arguments_of("COPY")]


def is_sent(path: str) -> bool:
    """Whether .dockerignore lets the builder see a file: the last line that fits it decides."""
    sent, parts = True, path.split("/")
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        anywhere = pattern.startswith("**/")
        # What fits a folder fits all that is in it.
        names = parts if anywhere else parts[:1]
        if any(fnmatch.fnmatchcase(name, pattern.removeprefix("**/")) for name in names):
            sent = line.startswith("!")
    return sent


@pytest.fixture
def dependencies(tmp_path):
    """dependencies(**arguments) -> what happens where the image's dependencies are installed.

    The files that are copied before it, the RUN of the Dockerfile, and instead of pip a program
    that keeps what it is asked.
    """
    folder, programs = tmp_path / "context", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    for source in sources()[0] + sources()[1]:
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, folder / source)
    pip = programs / "pip"
    pip.write_text(f'#!/bin/sh\necho "$@" >> {shlex.quote(str(tmp_path / "asked"))}\n')
    pip.chmod(0o755)
    (run,) = [run for run in arguments_of("RUN") if " -c " in run]

    def install(**arguments):
        env = {"PATH": f"{programs}:/usr/bin:/bin", **arguments}
        done = subprocess.run(
            ["sh", "-c", run], cwd=folder, env=env, capture_output=True, text=True
        )
        asked = tmp_path / "asked"
        return folder, done, asked.read_text().splitlines() if asked.exists() else []

    return install


def test_what_is_copied_is_there_and_sent_to_the_builder():
    first, second, rest = sources()
    assert rest == ["."]
    for source in first + second:
        assert (ROOT / source).exists() and is_sent(source)


def test_the_builder_is_sent_the_packages_with_their_data_and_no_more():
    for path in (
        "hmr_tf2/quickstart.py",
        "hmr_tf2/standin/assets/body.npz",
        "hmr_tf2/visualization/viewer.html",
        "tfrecords_tools/records.py",
        "flags/hmr.cfg",
        "README.md",
    ):
        assert (ROOT / path).is_file() and is_sent(path)
    for path in (".venv/bin/python", ".git/config", "tests/conftest.py", "raw/a", "run/ckpt-1"):
        assert not is_sent(path)
    assert not is_sent("hmr_tf2/smpl/__pycache__/rig.cpython-311.pyc")


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_each_python_gets_constraints_that_are_there(dependencies, python):
    folder, done, asked = dependencies(PYTHON=python)
    assert done.returncode == 0
    install, _ = asked
    words = shlex.split(install)
    constraints = words[words.index("-c") + 1]
    assert (folder / constraints).is_file()
    is_old = python in ("3.10", "3.11")
    assert ("tensorflow==2.15.1" in (folder / constraints).read_text().split()) == is_old
    assert words[-1] == "."


def test_a_python_without_constraints_is_refused(dependencies):
    _, done, asked = dependencies(PYTHON="3.14")
    assert done.returncode == 1 and not asked
    assert "must be 3.10, 3.11, 3.12 or 3.13; got 3.14." in done.stderr


def test_the_argument_extra_becomes_an_extra_of_setup_py(dependencies):
    _, _, (install, _) = dependencies(PYTHON="3.11", EXTRA="gpu")
    assert shlex.split(install)[-1] == ".[gpu]"
    assert re.search(r'^\s+"gpu": ', (ROOT / "setup.py").read_text(encoding="utf-8"), re.M)


def test_setup_py_reads_nothing_that_is_copied_only_after_the_dependencies(dependencies):
    """Otherwise a change of that file would install TensorFlow again."""
    folder, _, _ = dependencies(PYTHON="3.11")
    # What pip asks of it; the program in the place of pip has not.
    done = subprocess.run(
        [sys.executable, "setup.py", "egg_info"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Version: 0\n" in (folder / "hmr_tf2.egg-info" / "PKG-INFO").read_text()


def test_the_image_ends_as_a_user_who_is_not_root():
    assert int(arguments_of("USER")[-1]) > 0


def test_any_command_can_be_given_and_without_one_the_quickstart_runs_in_the_mounted_folder():
    assert not arguments_of("ENTRYPOINT")
    assert arguments_of("WORKDIR")[-1] == "/work"
    (cmd,) = arguments_of("CMD")
    python, m, module, *flags = json.loads(cmd)
    assert (python, m) == ("python", "-m") and importlib.util.find_spec(module)
    known = {field.name for field in dataclasses.fields(QuickstartSettings)}
    assert {flag.removeprefix("--").split("=")[0] for flag in flags} <= known


def test_the_editors_container_names_what_is_there():
    config = ROOT / ".devcontainer" / "devcontainer.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    build = settings["build"]
    assert (config.parent / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (config.parent / build["context"]).resolve() == ROOT
    (stage,) = [stage for stage in stages() if stage[0][1].endswith(f" AS {build['target']}")]
    assert any("useradd" in run and run.endswith(settings["remoteUser"]) for _, run in stage)

    editor = settings["customizations"]["vscode"]["settings"]
    programs = [editor["python.defaultInterpreterPath"], *editor["ruff.path"]]
    assert [path.split("/bin/") for path in programs] == [
        ["${workspaceFolder}/.venv", "python"],
        ["${workspaceFolder}/.venv", "ruff"],
    ]
    assert all((ROOT / folder).is_dir() for folder in editor["python.testing.pytestArgs"])
    (target,) = re.findall(r"make (\S+)$", settings["postCreateCommand"])
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert target == ".venv/.installed"
    assert re.search(r"^VENV := \.venv$", makefile, re.M)
    assert re.search(r"^STAMP := \$\(VENV\)/\.installed$", makefile, re.M)
