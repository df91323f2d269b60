"""What every command shares: flags from a settings dataclass, short help, clear errors."""

import dataclasses
import logging as python_logging
import os
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, flags, logging

import hmr_tf2
from hmr_tf2 import flagfiles
from tfrecords_tools import programs, quiet_import, system_errors

TRACEBACK_FLAG = "traceback"


def run(
    command: Callable[[Any], None], settings_class: type, doc: str, positional: str | None = None
) -> None:
    """Parses the flags that are the fields of `settings_class` and calls `command(settings)`.

    A user's mistake (a bad flag, or a ValueError or OSError of the command) or a loss that is no
    longer finite ends in one message on stderr and exit code 1; `--traceback` shows its origin.

    Args:
        command: called with the settings.
        settings_class: a dataclass made with `settings.setting`.
        doc: the command's docstring, shown by `--help`.
        positional: the flag that an argument without a name sets; None allows no such argument.
    """
    quiet_import.install()
    programs.heed_interrupts()
    flagfiles.define_flags(settings_class)
    flags.DEFINE_bool(TRACEBACK_FLAG, False, "Show the traceback of an error.")
    logging.use_absl_handler()
    logging.set_verbosity(logging.INFO)
    logging.set_stderrthreshold("info")
    # TensorFlow reports every folder that it writes and every name that it changes.
    python_logging.getLogger("tensorflow").setLevel(python_logging.ERROR)
    logging.get_absl_logger().addFilter(_is_for_users)
    logging.get_absl_handler().setFormatter(
        python_logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")
    )
    app.run(
        lambda _: _call(command, settings_class),
        flags_parser=lambda argv: _parse(argv, settings_class, doc, positional),
    )


def _is_for_users(record: python_logging.LogRecord) -> bool:
    """Whether a line is our own, or a warning: TensorFlow logs its remarks through absl, too."""
    is_tensorflows = f"{os.sep}tensorflow{os.sep}python{os.sep}" in record.pathname
    return record.levelno >= python_logging.WARNING or not is_tensorflows


def help_text(settings_class: type, doc: str) -> str:
    """The command's docstring and its flags by group, a line or two each."""
    types_of = flagfiles.field_types(settings_class)
    groups: dict[str, list[str]] = {}
    for field in dataclasses.fields(settings_class):
        line = f"--{field.name}={flagfiles.value_text(field.default)}"
        about = field.metadata["help"]
        choices = field.metadata.get("choices")
        if choices and len(choices) > 1:
            about += f" One{_of(types_of[field.name])} of: {', '.join(map(str, choices))}."
        groups.setdefault(field.metadata["group"], []).append(
            f"  {line}\n"
            + textwrap.fill(
                about,
                96,
                initial_indent=" " * 6,
                subsequent_indent=" " * 6,
                break_on_hyphens=False,
            )
        )
    # In the order that the settings ask for, otherwise in that of the fields.
    order = [*getattr(settings_class, "groups", ()), *groups]
    sections = [
        f"{name.capitalize()}:\n" + "\n".join(groups[name]) for name in dict.fromkeys(order)
    ]
    return "\n\n".join(
        [
            doc.strip(),
            *sections,
            "For every command, --flagfile=FILE reads flags from a file; --traceback shows where\n"
            "an error arose; --version, given alone, prints the version of hmr_tf2. A boolean is\n"
            "given as --name or --noname.",
        ]
    )


def _of(kind) -> str:
    return " or more" if flagfiles.is_list(kind) else ""


def _parse(
    argv: Sequence[str], settings_class: type, doc: str, positional: str | None = None
) -> list[str]:
    if {"--help", "-h", "--helpshort", "--helpfull", "-help"} & set(argv[1:]):
        print_to_pipe(help_text(settings_class, doc))
        sys.exit(0)
    # Only when it is alone, because the export has a flag of this name, which takes a number.
    if list(argv[1:]) == ["--version"]:
        print(f"hmr_tf2 {hmr_tf2.__version__}")
        sys.exit(0)
    try:
        rest = flags.FLAGS(with_shipped_flagfiles(argv))
    except flags.UnrecognizedFlagError as error:
        _exit(f"{str(error).rstrip('.')}. --help lists the flags.")
    except flags.CantOpenFlagFileError as error:
        named = str(error).rpartition("'")[0].rpartition("'")[2]
        shipped = (f"flags/{path.name}" for path in sorted(flagfiles.SHIPPED.glob("*.cfg")))
        _exit(
            f"--flagfile={named} does not exist or cannot be read. These come with hmr_tf2: "
            f"{', '.join(shipped)}."
        )
    except (flags.Error, OSError) as error:
        _exit(_with_accepted_values(str(error), settings_class))
    if positional and len(rest) > 1 and not flags.FLAGS[positional].present:
        flags.FLAGS[positional].value = rest.pop(1)
    if len(rest) > 1:
        others = "only one argument is not" if positional else "every setting is"
        _exit(f"Unexpected argument {rest[1]!r}: {others} a flag, --name=value.")
    return rest


def with_shipped_flagfiles(argv: Sequence[str]) -> list[str]:
    """Lets `--flagfile=flags/NAME` name a file that comes with hmr_tf2, wherever the user is.

    A file of that name in the working folder comes first.
    """
    found: list[str] = []
    for argument in argv:
        if found and found[-1] in ("--flagfile", "-flagfile"):
            argument = f"{found.pop()}={argument}"
        name = re.fullmatch(r"--?flagfile=flags[/\\]([\w.-]+)", argument)
        shipped = name and flagfiles.SHIPPED / name[1]
        if shipped and shipped.is_file() and not os.path.exists(argument.partition("=")[2]):
            argument = f"--flagfile={shipped}"
        found.append(argument)
    return found


def print_to_pipe(text: str) -> None:
    """Prints what may be read by `head` or `less`, which do not wait for the end."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python flushes once more when it ends, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _with_accepted_values(message: str, settings_class: type) -> str:
    """Adds to absl's message what is accepted by the flag that it names."""
    accepted = {bool: "true or false", int: "a whole number", float: "a number"}
    for name, kind in flagfiles.field_types(settings_class).items():
        if f"--{name}=" in message and kind in accepted:
            return f"{message}\n--{name} accepts {accepted[kind]}."
    return message


def _call(command, settings_class) -> None:
    values = flagfiles.parsed_values(settings_class)
    try:
        command(settings_class(**values))
    except KeyboardInterrupt:
        programs.leave_interrupted()
    except Exception as error:
        message = _message(error, values)
        if message is None or flags.FLAGS[TRACEBACK_FLAG].value:
            raise
        _exit(message)


def _message(error: Exception, values: dict[str, Any]) -> str | None:
    """What to tell the user; None if the error is a fault of the program."""
    if isinstance(error, (ValueError, OSError, FloatingPointError)):
        return system_errors.sentence(error, values)
    # TensorFlow's own class, which takes seconds to import.
    if type(error).__name__ == "ResourceExhaustedError":
        text = str(error).partition("\n")[0]
        if "No space left" in text or "quota" in text:
            return f"The disk is full: {text} {system_errors.MAKE_ROOM}"
        smaller = " Give a smaller --batch_size." if "batch_size" in values else ""
        return f"The memory is used up: {text}{smaller}"
    return None


def _exit(message: str) -> typing.NoReturn:
    print(f"Error: {message}", file=sys.stderr)
    sys.exit(1)
