"""Builds the API reference from the docstrings: python tools/make_docs.py [build/docs]

It needs no network. A docstring that does not come out as it was written is an error, and so is
everything that pdoc warns of.
"""

import collections
import html
import importlib
import inspect
import pathlib
import re
import sys
import warnings
from collections.abc import Iterator, Sequence

import pdoc.doc
import pdoc.docstrings
import pdoc.extract
import pdoc.render
import pdoc.render_helpers

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = ("hmr_tf2", "tfrecords_tools")
TEMPLATES = ROOT / "tools" / "docs_templates"
DOCFORMAT = "google"
# Where the classes that signatures name are public, although they are defined elsewhere.
PUBLIC_HOMES = {
    "tf": "tensorflow",
    "tf.io": "tensorflow.io",
    "tf.data": "tensorflow.data",
    "tf.errors": "tensorflow.errors",
    "keras": "tf_keras",
    "keras.layers": "tf_keras.layers",
    "keras.callbacks": "tf_keras.callbacks",
    "keras.optimizers.schedules": "tf_keras.optimizers.schedules",
}
# What Python writes by itself if a NamedTuple has no docstring.
BOILERPLATE = ("Alias for field number", "Create new instance of")


def module_names() -> list[str]:
    """Every module of the packages, except what runs when a package is called as a program."""
    paths = [path for package in PACKAGES for path in ROOT.glob(f"{package}/**/*.py")]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return sorted(
        name.removesuffix(".__init__") for name in names if not name.endswith(".__main__")
    )


def build(out: pathlib.Path) -> list[str]:
    """Writes the pages below `out`.

    Returns:
        The faults that were found, one line each; the pages are written all the same.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        modules = _modules()
        caught.clear()  # what libraries say while they are imported is not about our docstrings
        faults = [
            fault
            for module in modules.values()
            for documented in _documented(module)
            for fault in docstring_faults(documented)
        ]
        _write(modules, out)
    return sorted({*faults, *(str(warning.message) for warning in caught)})


def docstring_faults(documented: pdoc.doc.Doc) -> Iterator[str]:
    """Yields what is wrong with one docstring, one line per fault."""
    lost = swallowed(documented.docstring)
    if lost:
        yield f"{documented.fullname}: markup swallows {' '.join(lost)}; use backticks."
    if isinstance(documented, pdoc.doc.Function):
        known = {name.lstrip("*") for name in documented.signature.parameters}
        for name in _names_in_section(documented.docstring, "Args"):
            if name.lstrip("*") not in known:
                yield f"{documented.fullname}: Args names {name!r}, which is not a parameter."


def swallowed(docstring: str) -> list[str]:
    """The words and signs of a docstring that its page does not show."""
    markdown = pdoc.docstrings.convert(docstring, DOCFORMAT, None)
    page = html.unescape(re.sub(r"<[^>]+>", "", pdoc.render_helpers.to_html(markdown)))
    # What is markup on purpose: fences, bullets, rules of tables, the heading that pdoc renames.
    source = re.sub(r"^\s*(```.*|[*-](?= )|Args:$|\|[-| ]+\|$)", "", docstring, flags=re.M)
    pattern = r"\w+|[<>\[\]*_^~\\]"
    return sorted((_count(pattern, source) - _count(pattern, page)).elements())


def _modules() -> dict[str, pdoc.doc.Module]:
    modules = {name: importlib.import_module(name) for name in module_names()}
    for name, module in modules.items():
        if hasattr(module, "__all__"):
            # Some packages import their names on first use, and none lists its modules.
            for given in module.__all__:
                setattr(module, given, getattr(module, given))
            parts = (other.rpartition(".") for other in modules)
            inside = [child for parent, _, child in parts if parent == name]
            module.__all__ = [*module.__all__, *(c for c in inside if c not in module.__all__)]
    return {name: pdoc.doc.Module(module) for name, module in modules.items()}


def _write(modules: dict[str, pdoc.doc.Module], out: pathlib.Path) -> None:
    pdoc.render.configure(
        docformat=DOCFORMAT,
        footer_text=f"hmr_tf2 {importlib.import_module(PACKAGES[0]).__version__}",
        template_directory=TEMPLATES,
        show_source=False,  # it is in the repository, and would take half of the time
    )
    environment = pdoc.render.env
    replacements = _public_names()
    environment.globals["version"] = importlib.import_module(PACKAGES[0]).__version__
    environment.globals["packages"] = [m for m in modules.values() if m.is_package]
    for name, module in modules.items():
        path = out.joinpath(*name.split(".")).with_suffix(".html")
        path.parent.mkdir(parents=True, exist_ok=True)
        page = pdoc.render.html_module(module, modules)
        for private, public in replacements.items():
            page = page.replace(private, public)
        path.write_text(page, encoding="utf-8")
    (out / "index.html").write_text(pdoc.render.html_index(modules), encoding="utf-8")
    (out / "search.js").write_text(pdoc.render.search_index(modules), encoding="utf-8")


def _public_names() -> dict[str, str]:
    """Maps the name of a class in the file that defines it to the name that users know.

    A page has it as plain text, and in signatures with each part in a span of its own.
    """
    found = {}
    for shown, home in PUBLIC_HOMES.items():
        for name, value in vars(importlib.import_module(home)).items():
            if inspect.isclass(value) and value.__module__ != "builtins":
                private = f"{value.__module__}.{value.__qualname__}"
                for dot in (".", '</span><span class="o">.</span><span class="n">'):
                    public = f"{shown}.{name}".replace(".", dot)
                    found.setdefault(private.replace(".", dot), public)
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def _documented(module: pdoc.doc.Module) -> Iterator[pdoc.doc.Doc]:
    """Yields the module, its public members and theirs, if they have a docstring of their own."""
    pending: list[pdoc.doc.Doc] = [module]
    while pending:
        documented = pending.pop()
        if documented.docstring.startswith(BOILERPLATE):
            documented.docstring = ""
        if documented.docstring:
            yield documented
        if not isinstance(documented, pdoc.doc.Module | pdoc.doc.Class):
            continue
        pending += [
            member
            for member in documented.own_members
            if not isinstance(member, pdoc.doc.Module)
            and (member.name == "__init__" or not member.name.startswith("_"))
        ]


def _names_in_section(docstring: str, section: str) -> list[str]:
    match = re.search(rf"^{section}:\n((?:[ \t]+.*\n?|\n)+)", docstring, flags=re.M)
    lines = inspect.cleandoc(match[1]).splitlines() if match else []
    names = [re.match(r"([*\w, /`]+):", line) for line in lines if not line.startswith(" ")]
    return [
        name.strip("` ") for found in names if found for name in re.split("[,/]", found.group(1))
    ]


def _count(pattern: str, text: str) -> collections.Counter:
    return collections.Counter(re.findall(pattern, text))


def main(arguments: Sequence[str]) -> int:
    out = pathlib.Path(arguments[0]) if arguments else ROOT / "build" / "docs"
    sys.path.insert(0, str(ROOT))
    importlib.import_module("tfrecords_tools.quiet_import").install()
    faults = build(out)
    for fault in faults:
        print(f"Warning: {fault}", file=sys.stderr)
    print(f"{len(module_names())} modules: {out / 'index.html'}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
