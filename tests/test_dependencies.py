"""What is imported is declared in setup.py, and what is declared there is used."""

import ast
import pathlib
import re
import runpy
import sys
from unittest import mock

import pytest

ROOT = pathlib.Path(__file__).parents[1]
OWN = {"hmr_tf2", "tfrecords_tools"}
# What the project is built with: never installed with it.
TOOLS = "tools"

# The others are imported under their own names, with an underscore for each hyphen.
IMPORT_NAMES = {
    "absl-py": "absl",
    "grpcio": "grpc",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "protobuf": "google",
    "tensorflow-serving-api": "tensorflow_serving",
}
# Declared though no code imports them.
NOT_IMPORTED = {
    "setuptools": "held back for the command `tensorboard`",
    "tensorboard": "the pictures of tf.summary, and the command",
    "tensorflow-metadata": "held back for TensorFlow Graphics",
    "pyarrow": "held back for TensorFlow Graphics",
    "pytest-xdist": "pytest's option -n",
    "build": "a command of the tests",
    "ipykernel": "what a notebook runs in",
    "ruff": "a command of `make lint`",
    "mypy": "a command of `make lint`",
}
# Imported where they happen to be installed, and only for a comparison.
OPTIONAL = {"smplfitter"}


@pytest.fixture(scope="module")
def declared():
    """declared[""] -> the required distributions; declared["test"] -> those of the extra."""
    with mock.patch("setuptools.setup") as setup:
        runpy.run_path(str(ROOT / "setup.py"))
    options = setup.call_args.kwargs
    lists = {"": options["install_requires"], **options["extras_require"]}
    return {
        extra: {re.match(r"[\w.-]+", requirement).group() for requirement in requirements}
        for extra, requirements in lists.items()
    }


def imported(*folders: str) -> dict[str, bool]:
    """Third-party packages that the modules below `folders` import.

    Returns:
        Name of the package -> whether some module imports it at once, outside of any function.
    """
    paths = [path for folder in folders for path in ROOT.joinpath(folder).rglob("*.py")]
    local = {path.stem for path in paths} | OWN | {TOOLS} | sys.stdlib_module_names
    found: dict[str, bool] = {}
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            for name in _packages(node) - local:
                found[name] = found.get(name, False) or node in tree.body
    return found


def _packages(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {node.module.split(".")[0]}
    return set()


def import_names(distributions: set[str]) -> set[str]:
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in distributions}


def test_the_product_needs_no_more_than_is_required(declared):
    packages = imported("hmr_tf2", "tfrecords_tools")
    missing = set(packages) - import_names(declared[""])
    assert missing <= import_names(declared["beam"] | declared["heif"])
    at_once = {name for name in missing if packages[name]}
    assert not at_once, "packages of an extra must be imported where they are used"


def test_tests_and_benchmarks_need_no_more_than_the_test_extra(declared):
    packages = imported("tests", "benchmarks")
    missing = set(packages) - import_names(declared[""] | declared["test"])
    assert missing <= OPTIONAL
    assert not any(packages[name] for name in missing)


def test_nothing_is_required_that_the_product_does_not_use(declared):
    packages = set(imported("hmr_tf2", "tfrecords_tools"))
    unused = import_names(declared[""] - set(NOT_IMPORTED)) - packages
    assert not unused


def test_nothing_is_in_an_extra_that_nobody_uses(declared):
    packages = set(imported(*OWN, "tests", "benchmarks", TOOLS))
    extras = set().union(*(names for extra, names in declared.items() if extra))
    assert not import_names(extras - set(NOT_IMPORTED)) - packages


def test_the_table_of_exceptions_names_nothing_that_is_gone(declared):
    everything = set().union(*declared.values())
    assert set(NOT_IMPORTED) <= everything
    assert set(IMPORT_NAMES) <= everything
