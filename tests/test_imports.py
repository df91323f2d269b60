"""An import leaves the process as it was, and a command's help needs no TensorFlow."""

import ast
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
DEFINITIONS = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
)


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


def acting(text: str) -> list[int]:
    """Lines of a module's statements that do more than define and document its own names."""
    tree = ast.parse(text)
    imported = {
        (alias.asname or alias.name).split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return [node.lineno for node in tree.body if _acts(node, imported)]


def _acts(node: ast.stmt, imported: set[str]) -> bool:
    if isinstance(node, ast.Assign):
        # `os.environ["NAME"] = value` changes what is another module's.
        places = [t for t in node.targets if isinstance(t, ast.Subscript | ast.Attribute)]
        names = {part.id for t in places for part in ast.walk(t) if isinstance(part, ast.Name)}
        return bool(names & imported)
    if isinstance(node, ast.For):  # fills a table
        return any(_acts(inner, imported) for inner in node.body)
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    if isinstance(node, ast.If):
        return ast.unparse(node.test) != "__name__ == '__main__'"
    return not isinstance(node, DEFINITIONS)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("cv2.setNumThreads(1)", True),
        ("import os\nos.environ['A'] = 'b'", True),
        ("for name in names: print(name)", True),
        ("for name in names: TABLE[name] = 1", False),
        ("if __name__ == '__main__': main()", False),
        ("WIDTH, HEIGHT = size()", False),
        ("'A docstring.'", False),
    ],
)
def test_a_statement_that_acts_is_told_from_a_definition(text, expected):
    assert bool(acting(text)) == expected


def test_no_module_acts_when_it_is_imported():
    found = {
        str(path.relative_to(ROOT)): lines
        for path in MODULES
        if (lines := acting(path.read_text(encoding="utf-8")))
    }
    assert not found


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
