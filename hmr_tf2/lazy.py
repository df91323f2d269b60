"""Imports a package's names on first use, so that nobody waits for TensorFlow in vain."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def names_of(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package whose names live in modules below it.

    >>> __getattr__ = lazy.names_of(__name__, {"HMR": "hmr_tf2.hmr.model"})

    Args:
        package: the package's name, for the error message.
        homes: name -> module that defines it.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    return get
