"""The plan of the house: its rooms from the ground up, and who imports whom.

`tests/test_architecture.py` checks the code against it, `tools/draw_architecture.py` draws it.
"""

import ast
import dataclasses
import functools
import pathlib
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[1]
TREES = ("hmr_tf2", "tfrecords_tools", "benchmarks", "tools")


@dataclasses.dataclass(frozen=True)
class Room:
    """A package, or a group of modules, that is one layer.

    Attributes:
        name: the package, or the name of the group.
        purpose: a few words for the picture.
        members: the modules of a group; empty for a package, whose modules are all its own.
        programs: whether every module is a program: reads flags, and prints.
    """

    name: str
    purpose: str
    members: tuple[str, ...] = ()
    programs: bool = False

    @property
    def prefixes(self) -> tuple[str, ...]:
        return self.members or (self.name,)

    @property
    def title(self) -> str:
        """The title of the room in the picture."""
        folder = self.name.removeprefix("hmr_tf2.").replace(".", "/")
        return self.name if self.members else f"{folder}/"


# From the ground up. A room imports from itself and from rooms that stand before it in this list.
ROOMS = (
    Room("tfrecords_tools.pickles", "pickles, without running their code"),
    Room("tfrecords_tools", "joints, records, shards, manifests"),
    Room("tfrecords_tools.readers", "one raw data set each"),
    Room(
        "tfrecords_tools programs",
        "convert, verify, inspect",
        (
            "tfrecords_tools.convert",
            "tfrecords_tools.convert_settings",
            "tfrecords_tools.beam_workers",
            "tfrecords_tools.verify",
            "tfrecords_tools.inspect",
            "tfrecords_tools.inspection",
            "tfrecords_tools.verification",
            "tfrecords_tools.contact_sheet",
        ),
    ),
    Room(
        "ground",
        "settings, flags, devices, pictures",
        (
            "hmr_tf2",
            "hmr_tf2.lazy",
            "hmr_tf2.config",
            "hmr_tf2.flagfiles",
            "hmr_tf2.nvidia",
            "hmr_tf2.gpu_faults",
            "hmr_tf2.devices",
            "hmr_tf2.compiled",
            "hmr_tf2.replicas",
            "hmr_tf2.exif",
            "hmr_tf2.pictures",
        ),
    ),
    Room("commands.py", "flags in, clear errors out", ("hmr_tf2.commands",)),
    Room("hmr_tf2.smpl", "the body: shape, pose, joints"),
    Room(
        "numbers and geometry",
        "theta, crops, camera, losses",
        ("hmr_tf2.camera", "hmr_tf2.theta", "hmr_tf2.crops", "hmr_tf2.losses"),
    ),
    Room("hmr_tf2.visualization", "renderer, charts, files of meshes"),
    Room("hmr_tf2.networks", "encoders, regressor, discriminator"),
    Room("hmr_tf2.checkpoints", "weights from files, runs' folders"),
    Room("trained_model.py", "parts, optimisers, the step", ("hmr_tf2.trained_model",)),
    Room("hmr_tf2.data", "records to batches"),
    Room("predictor.py", "crops in, bodies out", ("hmr_tf2.predictor",)),
    Room("hmr_tf2.evaluation", "protocols, metrics, reports"),
    Room("hmr_tf2.training", "the run: it knows no model"),
    Room("hmr_tf2.hmr", "one picture: model, data, system"),
    Room("loading.py", "a model from whatever a path names", ("hmr_tf2.loading",)),
    Room("hmr_tf2.serving", "SavedModels and their servers"),
    Room("hmr_tf2.capture", "people in pictures and videos"),
    Room("hmr_tf2.standin", "a body and people of our own"),
    Room(
        "commands",
        "convert, train, replay, evaluate, demo, export, ask a server",
        (
            "hmr_tf2.add_keypoints",
            "hmr_tf2.convert_datasets",
            "hmr_tf2.train",
            "hmr_tf2.replay",
            "hmr_tf2.evaluate",
            "hmr_tf2.demo",
            "hmr_tf2.export",
            "hmr_tf2.client",
        ),
        programs=True,
    ),
    Room(
        "quickstart",
        "all of it, in minutes",
        ("hmr_tf2.quickstart", "hmr_tf2.__main__"),
        programs=True,
    ),
    Room("benchmarks", "the real thing beside a baseline", programs=True),
    Room("tools", "what the project is built with", programs=True),
)


def module_name(path: pathlib.Path) -> str:
    """The module's name; that of a package's own file is the package's."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def modules() -> dict[str, pathlib.Path]:
    """Every module of the repository except the tests, by name."""
    paths = [path for tree in TREES for path in ROOT.glob(f"{tree}/**/*.py")]
    return {module_name(path): path for path in sorted(paths)}


@functools.cache
def imports() -> dict[str, set[str]]:
    """The modules of this repository that each module imports, at its top or inside a function."""
    homes = _lazy_homes()
    graph = {}
    for name, path in modules().items():
        found = {homes.get(imported, imported) for imported in _imported_names(path)}
        graph[name] = {_module_of(imported) for imported in found} - {name, None}
    return graph


def room_of(module: str) -> Room | None:
    """The room with the longest prefix of the module's name; None if it is in no room."""
    found = [
        (len(prefix), room) for room in ROOMS for prefix in room.prefixes if _is_in(module, prefix)
    ]
    return max(found, key=lambda item: item[0])[1] if found else None


def room_imports() -> dict[Room, set[Room]]:
    """The rooms that each room imports from, without itself."""
    graph: dict[Room, set[Room]] = {room: set() for room in ROOMS}
    for module, imported in imports().items():
        own = room_of(module)
        graph[own] |= {room_of(other) for other in imported} - {own}
    return graph


def _is_in(module: str, prefix: str) -> bool:
    # All but the package's own file would otherwise be in the room of `hmr_tf2`.
    is_below = module.startswith(f"{prefix}.") and prefix != "hmr_tf2"
    return module == prefix or is_below


def _lazy_homes() -> dict[str, str]:
    """Where the names come from that packages import on first use: their tables `_HOMES`."""
    homes = {}
    for package, path in modules().items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
                table = ast.literal_eval(node.value)
                homes |= {f"{package}.{name}": f"{home}.{name}" for name, home in table.items()}
    return homes


def _imported_names(path: pathlib.Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(
                    f"{path}:{node.lineno} has a relative import; write the whole name."
                )
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module_of(name: str) -> str | None:
    """The module that an imported name is, or is in; None if it is not in this repository."""
    while name and name not in modules():
        name = name.rpartition(".")[0]
    return name or None
