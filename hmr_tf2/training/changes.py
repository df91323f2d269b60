"""Compares the settings of a run that continues with those that it was started with."""

import dataclasses
import os
from typing import Any

from absl import logging

from hmr_tf2 import flagfiles
from hmr_tf2.config import RunConfig


def changed_settings(config: RunConfig, flags_file: str | os.PathLike) -> dict[str, Any]:
    """The changed settings that would change the results: name -> (then, now).

    Fields marked `free` (folders, how often to save, how long to train) may differ.

    Args:
        config: the current settings.
        flags_file: the flagfile that the run wrote when it was started.
    """
    kind = type(config)
    then = dataclasses.replace(kind(), **flagfiles.read_flagfile(flags_file, kind))
    pairs = {
        field.name: (getattr(then, field.name), getattr(config, field.name))
        for field in dataclasses.fields(config)
        if not field.metadata.get("free")
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def check_unchanged(config: RunConfig, flags_file: str | os.PathLike) -> None:
    """Logs changed settings where `accept_changes` is set.

    Raises:
        ValueError: settings have changed, and `accept_changes` is not set; lists them.
    """
    changed = changed_settings(config, flags_file)
    if not changed:
        return
    table = "\n".join(
        f"  --{name}: {flagfiles.value_text(then) or '(none)'} then, "
        f"{flagfiles.value_text(now) or '(none)'} now"
        for name, (then, now) in changed.items()
    )
    if not config.accept_changes:
        raise ValueError(
            f"The settings differ from those the checkpoint was made with ({flags_file}):\n"
            f"{table}\nPass --accept_changes to continue with the new ones, "
            f"--flagfile={flags_file} to continue with the old ones, or another --model_dir to "
            "start a new run."
        )
    logging.warning("Continuing with changed settings:\n%s", table)
