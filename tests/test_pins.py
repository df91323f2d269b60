"""The tools have one version each: setup.py, the constraints, make lint and pre-commit agree."""

import contextlib
import importlib.metadata
import pathlib
import platform
import re
import runpy
import sys
from unittest import mock

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).parents[1]
# Another version of these finds other faults, formats in another way, or draws other pages.
TOOLS = ("ruff", "mypy", "pdoc")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# The stacks: a constraints file, and a Python that takes it.
STACKS = {"tensorflow-2.15": "3.11", "tensorflow-2.21": "3.13"}


def asked_for(python: str) -> dict[str, str]:
    """Package -> exact version that setup.py asks for under a Python, extras included."""
    with mock.patch("setuptools.setup") as setup:
        runpy.run_path(str(ROOT / "setup.py"))
    options = setup.call_args.kwargs
    lists = [options["install_requires"], *options["extras_require"].values()]
    return dict(exact_pins((entry for entries in lists for entry in entries), python))


def exact_pins(lines, python: str):
    for requirement in map(Requirement, lines):
        applies = requirement.marker is None or requirement.marker.evaluate(
            {"python_version": python, "platform_machine": "x86_64", "sys_platform": "linux"}
        )
        version = re.fullmatch("==([^*]+)", str(requirement.specifier))
        if applies and version:
            yield canonicalize_name(requirement.name), version[1]


def pinned(stack: str, python: str) -> list[tuple[str, str]]:
    lines = (
        line.partition("#")[0].strip() for line in read(f"constraints/{stack}.txt").split("\n")
    )
    return list(exact_pins(filter(None, lines), python))


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_has_the_same_exact_version_everywhere(tool):
    versions = {asked_for(python)[tool] for python in STACKS.values()}
    versions |= {dict(pinned(stack, python))[tool] for stack, python in STACKS.items()}
    assert versions == {importlib.metadata.version(tool)}


@pytest.mark.parametrize("stack, python", STACKS.items())
def test_exact_versions_of_setup_py_are_those_of_the_constraints(stack, python):
    wanted = asked_for(python)
    assert wanted["tensorflow"].startswith(stack.removeprefix("tensorflow-"))
    assert wanted.items() <= set(pinned(stack, python))


@pytest.mark.parametrize(
    "stack, python",
    [(s, p) for s, pythons in (("tensorflow-2.15", "3.10 3.11"), ("tensorflow-2.21", "3.12 3.13"))
     for p in pythons.split()],
)  # fmt: skip
def test_each_package_is_pinned_once_for_a_python(stack, python):
    names = [name for name, _ in pinned(stack, python)]
    assert len(names) > 100 and sorted(set(names)) == sorted(names)


def test_what_runs_here_is_what_is_pinned():
    python = ".".join(platform.python_version_tuple()[:2])
    stack = "tensorflow-2.15" if sys.version_info < (3, 12) else "tensorflow-2.21"
    for name, version in pinned(stack, python):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # of another extra
            assert importlib.metadata.version(name) == version, name


def test_pre_commit_runs_the_programs_that_make_lint_runs():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", read("Makefile"), re.M)[1]
    linted = set(re.findall(r"\$\(BIN\)/(\w+(?: (?:check|format))?)", recipe))
    config = read(".pre-commit-config.yaml")
    hooked = set(re.findall(r"entry: \.venv/bin/(\w+(?: (?:check|format))?)", config))
    assert linted == hooked == {"ruff check", "ruff format", "mypy"}
    # Hooks of other repositories would bring versions of their own.
    assert re.findall(r"repo: (\S+)", config) == ["local"]
    assert set(re.findall(r"language: (\S+)", config)) == {"system"}
