"""The tools have one version each: setup.py, constraints.txt, make lint and pre-commit agree."""

import importlib.metadata
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
# Another version of these finds other faults, formats in another way, or draws other pages.
TOOLS = ("ruff", "mypy", "pdoc")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_has_the_same_exact_version_everywhere(tool):
    asked = re.findall(rf'"{tool}==([^"]+)"', read("setup.py"))
    pinned = re.findall(rf"^{tool}==(\S+)$", read("constraints.txt"), re.M)
    assert len(asked) == len(pinned) == 1
    assert asked == pinned == [importlib.metadata.version(tool)]


def test_exact_versions_of_setup_py_are_those_of_the_constraints():
    constraints = read("constraints.txt").lower().replace("_", "-")
    exact = re.findall(r'"([\w.-]+)==([^"]+)"', read("setup.py"))
    assert exact
    for name, version in exact:
        assert f"\n{name.lower().replace('_', '-')}=={version}\n" in constraints


def test_pre_commit_runs_the_programs_that_make_lint_runs():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", read("Makefile"), re.M)[1]
    linted = set(re.findall(r"\$\(BIN\)/(\w+(?: (?:check|format))?)", recipe))
    config = read(".pre-commit-config.yaml")
    hooked = set(re.findall(r"entry: \.venv/bin/(\w+(?: (?:check|format))?)", config))
    assert linted == hooked == {"ruff check", "ruff format", "mypy"}
    # Hooks of other repositories would bring versions of their own.
    assert re.findall(r"repo: (\S+)", config) == ["local"]
    assert set(re.findall(r"language: (\S+)", config)) == {"system"}
