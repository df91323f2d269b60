"""Converts settings dataclasses to absl flags and to flagfiles, and back."""

import dataclasses
import os
import pathlib
import typing
from typing import Any

from absl import flags

from tfrecords_tools.paths import path_of

# The flag files that come with hmr_tf2: in the package, or beside it in a checkout.
_PACKAGE = pathlib.Path(__file__).parent
SHIPPED = next(
    (folder for folder in (_PACKAGE / "flags", _PACKAGE.parent / "flags") if folder.is_dir()),
    _PACKAGE / "flags",
)


def define_flags(settings_class: type, flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines a flag for each field: its type, default and help."""
    define = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float}
    types_of = field_types(settings_class)
    for field in dataclasses.fields(settings_class):
        kind, default = types_of[field.name], field.default
        if is_list(kind):
            define_one, default = flags.DEFINE_list, list(default)
        else:
            define_one = define.get(kind, flags.DEFINE_string)
        define_one(
            field.name,
            default,
            field.metadata["help"],
            flag_values=flag_values,
            # absl's logging has a --log_dir too; ours, which is the original's, means a folder
            # of runs.
            allow_override=True,
        )


def parsed_values(
    settings_class: type, flag_values: flags.FlagValues = flags.FLAGS, given_only: bool = False
) -> dict[str, Any]:
    """The values of the flags of `settings_class`; lists become tuples.

    Args:
        settings_class: a dataclass whose fields are flags.
        flag_values: the parsed flags.
        given_only: leave out flags that were given neither on the command line nor in a flagfile.
    """
    found = {field.name: flag_values[field.name] for field in dataclasses.fields(settings_class)}
    return {
        name: tuple(flag.value) if isinstance(flag.value, list) else flag.value
        for name, flag in found.items()
        if flag.present or not given_only
    }


def as_flagfile(settings: Any) -> str:
    """The settings as a flagfile that reproduces them."""
    lines = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, bool):
            lines.append(f"--{'' if value else 'no'}{field.name}")
        elif value is not None:
            lines.append(f"--{field.name}={value_text(value)}")
    return "\n".join(lines) + "\n"


def read_flagfile(path: str | os.PathLike, settings_class: type) -> dict[str, Any]:
    """The fields of `settings_class` that a flagfile sets; other flags in it are ignored.

    Raises:
        OSError: the file cannot be read.
        ValueError: a value cannot be parsed.
    """
    values = flags.FlagValues()
    define_flags(settings_class, values)
    lines = [line.strip() for line in path_of(path).read_text(encoding="utf-8").splitlines()]
    try:
        values([str(path), *(line for line in lines if line.startswith("-"))], known_only=True)
    except flags.Error as error:
        raise ValueError(f"{path}: {error}") from error
    return parsed_values(settings_class, values, given_only=True)


def field_types(settings_class: type) -> dict[str, Any]:
    """The type of each field; for `int | None` and the like, the type other than None."""
    hints = typing.get_type_hints(settings_class)
    return {
        name: next((kind for kind in typing.get_args(hint) if kind is not type(None)), hint)
        if type(None) in typing.get_args(hint)
        else hint
        for name, hint in hints.items()
    }


def is_list(kind: Any) -> bool:
    """Whether a field of this type is a list flag."""
    return typing.get_origin(kind) is tuple


def value_text(value: Any) -> str:
    """A value as it is written after `--name=`."""
    if value is None:
        return ""
    return ",".join(value) if isinstance(value, tuple) else str(value)
