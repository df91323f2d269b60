"""JSON files that other programs wrote."""

import json
import os
import pathlib


def read_json(path: str | os.PathLike):
    """The content of a JSON file, or the list of those of a file with one JSON object a line.

    Raises:
        OSError: there is no such file.
        ValueError: it is empty or damaged; the message names it.
    """
    data = pathlib.Path(path).read_bytes()
    try:
        return _parsed(data)
    except ValueError as error:  # also for bytes that are not UTF-8
        lines = [line for line in data.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in lines):
            raise _not_json(path, error) from error
    try:
        return [_parsed(line) for line in lines]
    except ValueError as error:
        raise _not_json(path, error) from error


def _parsed(data):
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("its lists are nested too deeply") from None


def _not_json(path, error):
    return ValueError(f"{path} is not a JSON file, or is empty or cut off: {error}")


def excerpt(value) -> str:
    """The beginning of a value as JSON, for messages."""
    try:
        text = json.dumps(value)
    except (RecursionError, ValueError):
        text = type(value).__name__
    return text if len(text) <= 80 else f"{text[:80]}..."
