"""The shape of the code: imports run one way, help texts tell flags apart."""

import ast
import dataclasses
import pathlib

import pytest

from hmr_tf2.hmr.config import TrainConfig

ROOT = pathlib.Path(__file__).parents[1]

# Layers from the bottom to the top, as in the README's drawing of the packages. A module imports
# from its own layer and from those below.
LAYERS = [
    ["tfrecords_tools"],
    [
        "hmr_tf2.compiled",
        "hmr_tf2.config",
        "hmr_tf2.flagfiles",
        "hmr_tf2.replicas",
        "hmr_tf2.camera",
        "hmr_tf2.losses",
        "hmr_tf2.updates",
        "hmr_tf2.smpl",
        "hmr_tf2.networks",
        "hmr_tf2.checkpoints",
    ],
    ["hmr_tf2.hmr", "hmr_tf2.data"],
    ["hmr_tf2.pictures", "hmr_tf2.predictor", "hmr_tf2.loading"],
    [
        "hmr_tf2.training",
        "hmr_tf2.evaluation",
        "hmr_tf2.serving",
        "hmr_tf2.visualization",
        "hmr_tf2.standin",
        "hmr_tf2.capture",
    ],
    ["hmr_tf2.commands"],
    [
        "hmr_tf2.convert_datasets",
        "hmr_tf2.train",
        "hmr_tf2.export",
        "hmr_tf2.evaluate",
        "hmr_tf2.demo",
        "hmr_tf2.client",
    ],
    ["hmr_tf2.quickstart"],
]
MODULES = sorted([*ROOT.glob("hmr_tf2/**/*.py"), *ROOT.glob("tfrecords_tools/**/*.py")])


def module_name(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> int | None:
    """Index of the layer of the longest prefix that has one; None for the package itself."""
    for depth, layer in enumerate(LAYERS):
        if any(module == name or module.startswith(f"{name}.") for name in layer):
            return depth
    return None


def imports_of(path: pathlib.Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("hmr_tf2", "tfrecords_tools")}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_run_one_way(path):
    module = module_name(path)
    if module == "hmr_tf2":
        return  # loads its three names lazily
    own = layer_of(module)
    if module.endswith(".__main__"):
        own = len(LAYERS)  # a command, whatever package it stands in
    assert own is not None, f"{module} stands in no layer of LAYERS"
    for imported in imports_of(path):
        layer = layer_of(imported)
        assert layer is None or layer <= own, f"{module} imports {imported}, which is above it"


def test_a_backward_import_is_noticed():
    assert layer_of("hmr_tf2.training.run") > layer_of("hmr_tf2.smpl.body_model")
    assert layer_of("hmr_tf2.smpl.body_model") > layer_of("tfrecords_tools.records")


def test_every_flag_has_a_help_text_of_its_own():
    helps = [field.metadata["help"] for field in dataclasses.fields(TrainConfig)]
    assert len(set(helps)) == len(helps)
    assert all(text.endswith(".") for text in helps)
