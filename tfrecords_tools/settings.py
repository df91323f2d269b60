"""A setting: a dataclass field that is also a flag, described and limited in one place.

@dataclasses.dataclass(frozen=True)
class Settings:
    workers: int = setting(0, "Worker processes; 0 starts one per core.", "speed", minimum=0)

    def __post_init__(self):
        check_settings(self)
"""

import dataclasses
import operator
from collections.abc import Mapping
from typing import Any

from tfrecords_tools.paths import absolute

# Limit of a number -> what must hold, and how a message says it.
_BOUNDS = {
    "minimum": (operator.ge, "at least"),
    "above": (operator.gt, "above"),
    "maximum": (operator.le, "at most"),
    "below": (operator.lt, "below"),
}
_LIMITS = {*_BOUNDS, "choices", "free", "path"}


def setting(default: Any, help: str, group: str, **limits: Any) -> Any:
    """A dataclass field that is also a flag.

    Args:
        default: the value in the original's config.py, where that has the flag.
        help: one or two sentences for `--help`.
        group: heading under which `--help` lists it.
        **limits: `choices` (of the value, or of each item of a list), `minimum`, `maximum`,
            `above` (a minimum it must exceed), `below` (a maximum it must not reach): see
            `check_settings`; `free`, if a run that is continued may have another value than
            before; `path`, if the value names a file or folder.

    Raises:
        TypeError: a limit is unknown. A misspelled one would let every value pass.
    """
    unknown = sorted(limits.keys() - _LIMITS)
    if unknown:
        raise TypeError(f"{unknown[0]!r} is not a limit; these are: {', '.join(sorted(_LIMITS))}.")
    return dataclasses.field(default=default, metadata={"help": help, "group": group, **limits})


def absolute_paths(settings: Any) -> Any:
    """The settings with every path made absolute, so that they hold in any folder.

    Addresses such as gs://bucket/folder stay as they are.
    """
    paths = {
        field.name: absolute(value)
        for field in dataclasses.fields(settings)
        if field.metadata.get("path") and (value := getattr(settings, field.name))
    }
    return dataclasses.replace(settings, **paths)


def check_settings(settings: Any) -> None:
    """Checks every field of a dataclass against its limits; None is within all of them.

    Raises:
        ValueError: a field is outside its limits; the message names the first such flag and them.
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        for item in value if isinstance(value, tuple) else (value,):
            _check(f"--{field.name}", item, field.metadata)


def _check(flag: str, value: Any, limits: Mapping[str, Any]) -> None:
    """Raises ValueError if a value, or one item of a list, is outside its limits."""
    if value is None:
        return
    choices = limits.get("choices")
    if choices and value not in choices:
        raise ValueError(f"{flag} accepts {', '.join(map(str, choices))}; got {value!r}.")
    if isinstance(value, (str, bool)):
        return
    for name, (holds, words) in _BOUNDS.items():
        # NaN satisfies no comparison, so it is refused wherever there is a limit.
        if name in limits and not holds(value, limits[name]):
            raise ValueError(f"{flag} must be {words} {limits[name]}; got {value}.")
