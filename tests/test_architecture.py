"""The shape of the code: one room a layer, imports that run one way, libraries that keep quiet.

The rooms and their order stand in `tools/rooms.py`.
"""

import ast
import dataclasses
import graphlib
import html
from collections.abc import Iterator

from hmr_tf2.hmr.config import TrainConfig
from tools import draw_architecture, rooms

MODULES = sorted(rooms.modules())
PACKAGES = [name for name, path in rooms.modules().items() if path.name == "__init__.py"]
# Programs that stand in a library's room, because they are that library's own.
PROGRAMS = {
    "hmr_tf2.standin.__main__",
    "hmr_tf2.standin.make_body",
    "tfrecords_tools.inspect",
    "tfrecords_tools.verify",
}
# What all commands share: it is handed to a library by nobody.
COMMAND_LINE = {"hmr_tf2.commands", "hmr_tf2.flagfiles", "tfrecords_tools.programs"}
LIBRARIES = [
    name
    for name in MODULES
    if not rooms.room_of(name).programs and name not in PROGRAMS | COMMAND_LINE
]


def tree_of(module: str) -> ast.Module:
    return ast.parse(rooms.modules()[module].read_text(encoding="utf-8"))


def is_main_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def run_at_import(statements) -> Iterator[ast.stmt]:
    """The statements of a module that an import runs, also those below `if`, `with` and `try`."""
    for node in statements:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) or is_main_guard(node):
            continue
        yield node
        for part in ("body", "orelse", "finalbody", "handlers"):
            yield from run_at_import(getattr(node, part, []))


def test_every_module_stands_in_a_room():
    homeless = [module for module in MODULES if rooms.room_of(module) is None]
    assert homeless == [], "give them a room in tools/rooms.py"


def test_every_package_is_a_room_of_its_own():
    inner = {"hmr_tf2.standin.raw"}  # only the stand-in's own door leads there
    for package in set(PACKAGES) - inner - {"hmr_tf2", "tools"}:
        assert rooms.room_of(package).name == package


def test_every_room_exists():
    prefixes = [prefix for room in rooms.ROOMS for prefix in room.prefixes]
    assert len(set(prefixes)) == len(prefixes)
    for prefix in prefixes:
        assert any(m == prefix or m.startswith(f"{prefix}.") for m in MODULES), prefix


def backward_imports(graph) -> list[str]:
    faults = []
    for module, imported in graph.items():
        own = rooms.ROOMS.index(rooms.room_of(module))
        if module in PROGRAMS:
            own = len(rooms.ROOMS)
        faults += [
            f"{module} imports {name}, which stands above it"
            for name in imported
            if rooms.ROOMS.index(rooms.room_of(name)) > own
        ]
    return faults


def test_imports_run_one_way():
    assert backward_imports(rooms.imports()) == []


def test_a_backward_import_is_noticed():
    assert backward_imports({"hmr_tf2.smpl.rotations": {"hmr_tf2.train"}})
    assert backward_imports({"tfrecords_tools.records": {"hmr_tf2.camera"}})
    assert not backward_imports({"hmr_tf2.train": {"hmr_tf2.smpl.rotations"}})


def test_modules_import_each_other_in_no_circle():
    list(graphlib.TopologicalSorter(rooms.imports()).static_order())  # raises on a circle


def test_benchmarks_do_not_lean_on_each_other():
    for module, imported in rooms.imports().items():
        if module.startswith("benchmarks"):
            assert not any(name.startswith("benchmarks.") for name in imported), module


def test_the_records_know_no_model():
    for module, imported in rooms.imports().items():
        if module.startswith("tfrecords_tools"):
            assert not any(name.startswith("hmr_tf2") for name in imported), module


def test_names_that_the_package_gives_lazily_count_as_imports():
    assert "hmr_tf2.hmr.config" in rooms.imports()["benchmarks.train_step"]


def lines_where(is_fault) -> list[str]:
    """`module:line` of each node of a library for which `is_fault` holds."""
    return [
        f"{module}:{node.lineno}"
        for module in LIBRARIES
        for node in ast.walk(tree_of(module))
        if is_fault(node)
    ]


def test_flags_are_read_in_commands_only():
    def reads_flags(node):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            return names & {"argparse", "absl.flags", "flags"}
        return isinstance(node, ast.Attribute) and node.attr == "FLAGS"

    assert lines_where(reads_flags) == []


def test_libraries_do_not_print():
    def prints(node):
        return isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "pprint.pprint")

    assert lines_where(prints) == []


def test_an_import_changes_nothing_outside_the_module():
    """No call for its effect, and no variable of the environment, at the head of a library."""

    def acts(node):
        targets = [ast.unparse(target) for target in getattr(node, "targets", [])]
        is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        return is_call or any(target.startswith(("os.environ", "sys.")) for target in targets)

    assert [
        f"{module}:{node.lineno}"
        for module in LIBRARIES
        for node in run_at_import(tree_of(module).body)
        if acts(node)
    ] == []


def test_only_programs_have_a_main():
    runnable = {name for name in MODULES if any(map(is_main_guard, tree_of(name).body))}
    assert runnable & set(LIBRARIES) == set()
    assert runnable >= PROGRAMS


def test_every_flag_has_a_help_text_of_its_own():
    helps = [field.metadata["help"] for field in dataclasses.fields(TrainConfig)]
    assert len(set(helps)) == len(helps)
    assert all(text.endswith(".") for text in helps)


def test_the_picture_is_of_the_code_as_it_is():
    drawn = draw_architecture.PICTURE.read_text(encoding="utf-8")
    assert drawn == draw_architecture.draw(), "run: python tools/draw_architecture.py"


def test_the_picture_names_every_room_and_every_module_of_a_group():
    drawn = html.unescape(draw_architecture.PICTURE.read_text(encoding="utf-8"))
    for room in draw_architecture.house():
        assert f">{room.title}</text>" in drawn
        assert f">{room.purpose}</text>" in drawn
        assert draw_architecture.members_shown(room) in drawn


def test_every_room_of_the_picture_stands_above_what_it_imports():
    floors = draw_architecture.floor_of()
    for room, below in draw_architecture.house().items():
        assert all(floors[other] < floors[room] for other in below), room.name


def test_functions_are_traced_without_AutoGraph():
    # It would rewrite all of `tf_keras`, which takes longer than tracing the network.
    without, faults = set(), []
    for module in MODULES:
        for node in ast.walk(tree_of(module)):
            # A call comes before the function that it calls.
            if isinstance(node, ast.Call) and "autograph=False" in map(ast.unparse, node.keywords):
                without.add(node.func)
            elif is_tf_function(node) and node not in without:
                faults.append((module, node.lineno))
    assert faults == []
    assert sum(map(is_tf_function, without)) > 5


def is_tf_function(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "tf.function"
