"""Types stand in the public signatures; mypy, run by `make lint`, checks that they are true."""

import ast
from collections.abc import Iterator

from tools import rooms

# Rooms whose every public signature has types. The others follow; take none out.
TYPED = (
    "tfrecords_tools",
    "hmr_tf2.camera",
    "hmr_tf2.commands",
    "hmr_tf2.crops",
    "hmr_tf2.data",
    "hmr_tf2.evaluation",
    "hmr_tf2.flagfiles",
    "hmr_tf2.losses",
    "hmr_tf2.loading",
    "hmr_tf2.predictor",
    "hmr_tf2.serving",
    "hmr_tf2.smpl",
    "hmr_tf2.theta",
)


def public_functions(body, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """The public functions of a module, and the public methods of its public classes."""
    for node in body:
        if getattr(node, "name", "_").startswith("_"):
            continue
        if isinstance(node, ast.ClassDef):
            yield from public_functions(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield f"{prefix}{node.name}", node


def untyped(module: ast.Module) -> list[str]:
    """The public functions of which an argument or the result has no type."""
    return [
        name
        for name, function in public_functions(module.body)
        if function.returns is None or any(_lacks_type(function.args))
    ]


def _lacks_type(arguments: ast.arguments) -> Iterator[bool]:
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    for argument in filter(None, [*named, arguments.vararg, arguments.kwarg]):
        yield argument.annotation is None and argument.arg not in ("self", "cls")


def test_public_signatures_have_types():
    assert [
        f"{name}: {function}"
        for name, path in rooms.modules().items()
        if any(name == typed or name.startswith(f"{typed}.") for typed in TYPED)
        for function in untyped(ast.parse(path.read_text(encoding="utf-8")))
    ] == []


def test_a_missing_type_is_noticed():
    source = """
def whole(a: int, *rest: int, b: str = "") -> None: ...
def no_result(a: int): ...
def no_argument(a, b: int) -> None: ...
def _private(a): ...
class Public:
    def method(self, *rest) -> None: ...
class _Private:
    def method(self, a): ...
"""
    assert untyped(ast.parse(source)) == ["no_result", "no_argument", "Public.method"]
