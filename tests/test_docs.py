"""The API reference builds from the docstrings without a warning."""

import pathlib
import subprocess
import sys

import pdoc.doc
import pytest

from tools import make_docs

ROOT = pathlib.Path(__file__).parents[1]


@pytest.mark.slow
def test_the_reference_builds_without_a_warning(tmp_path):
    # In a process of its own, because it lists the modules in `hmr_tf2.__all__`.
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "make_docs.py", tmp_path],
        capture_output=True,
        text=True,
        timeout=900,  # half a minute; more where the machine has other work
    )
    assert done.stderr == ""
    assert done.returncode == 0
    front = (tmp_path / "index.html").read_text(encoding="utf-8")
    for name in make_docs.module_names():
        page = name.replace(".", "/") + ".html"
        assert (tmp_path / page).is_file()
        assert f'href="{page}"' in front


@pytest.mark.parametrize(
    "text, lost",
    [
        ("Writes `<dir>/1/` of float32 [..., 3] in [-1, 1]; 2 * 3 ** 2.", []),
        ("Args:\n    x_y: a, b.\n\nReturns:\n    * one\n    * two", []),
        ("Writes <dir>/1/.", ["<", ">", "dir"]),
        ("Of *args and **kwargs*.", ["*", "*", "*"]),
    ],
)
def test_markup_that_swallows_words_is_noticed(text, lost):
    found = make_docs.swallowed(text)
    assert bool(found) == bool(lost)
    assert set(found) == set(lost)


def test_an_argument_that_is_no_parameter_is_noticed():
    def scaled(x, *rest, **others):
        """Scales.

        Args:
            x, *rest: numbers.
            **others: more.
            factor: was taken out.
        """

    faults = list(make_docs.docstring_faults(pdoc.doc.Function("m", "scaled", scaled, ("m", ""))))
    assert len(faults) == 1
    assert "'factor', which is not a parameter" in faults[0]
