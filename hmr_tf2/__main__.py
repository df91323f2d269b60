"""Lists the commands of this package.

python -m hmr_tf2
"""

import importlib

import hmr_tf2
from hmr_tf2 import commands

# In the order in which a newcomer meets them.
COMMANDS = (
    "hmr_tf2.quickstart",
    "hmr_tf2.standin",
    "hmr_tf2.add_keypoints",
    "hmr_tf2.convert_datasets",
    "tfrecords_tools.verify",
    "tfrecords_tools.inspect",
    "hmr_tf2.train",
    "hmr_tf2.replay",
    "hmr_tf2.evaluate",
    "hmr_tf2.demo",
    "hmr_tf2.export",
    "hmr_tf2.client",
)


def overview() -> str:
    """Each command with the first sentence of its help."""
    lines = [f"hmr_tf2 {hmr_tf2.__version__}. The commands, each of which explains --help:", ""]
    for name in COMMANDS:
        lines += [f"  python -m {name}", f"      {_first_sentence(name)}"]
    return "\n".join(lines)


def _first_sentence(name: str) -> str:
    module = importlib.import_module(name)
    if hasattr(module, "__path__"):  # a package, whose command is its `__main__`
        module = importlib.import_module(f"{name}.__main__")
    return (module.__doc__ or "").splitlines()[0]


if __name__ == "__main__":
    commands.print_to_pipe(overview())
