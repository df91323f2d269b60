"""Shows what records hold, as a table and a contact sheet; `inspect` is the command for it."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Sequence

import cv2
import numpy as np
import tensorflow as tf

from tfrecords_tools import checks, contact_sheet, framing, manifest
from tfrecords_tools.files import write_bytes
from tfrecords_tools.paths import opened, path_of
from tfrecords_tools.plan import ConversionError

_HEADINGS = ("data set", "examples", "shards", "MB", "kind", "joints", "3-D", "SMPL", "picture")


@dataclasses.dataclass(frozen=True)
class Group:
    """The shards of one data set and split, and a few records from all over them."""

    name: str
    shards: Sequence[pathlib.Path]
    schema: str
    samples: Sequence[dict[str, np.ndarray]]


def inspect(folder: str | os.PathLike, num_samples: int = 16) -> list[Group]:
    """Looks at `num_samples` records of every group of shards below `folder`."""
    root = path_of(folder)
    if not root.is_dir():
        raise ConversionError(f"{folder} is not a folder: expected a folder of records.")
    shards: dict[str, list[pathlib.Path]] = {}
    for path in sorted(root.rglob("*.tfrecord")):
        shards.setdefault(_group_name(root, path), []).append(path)
    if not shards:
        raise ConversionError(f"{folder} holds no record file (*.tfrecord).")
    return [_group(name, paths, num_samples) for name, paths in shards.items()]


def _group_name(root: pathlib.Path, path: pathlib.Path) -> str:
    """`lsp/train_000.tfrecord` -> `lsp/train`; the test recordings of Human3.6M are one group."""
    relative = path.relative_to(root)
    stem = re.sub(r"_\d+(_wmeta)?$", "", relative.stem)
    is_recording = re.fullmatch(r"S\d+_\w+_\d+_cam\d", stem)
    if is_recording or stem == relative.parent.name:
        return relative.parent.as_posix()
    return (relative.parent / stem).as_posix()


def _group(name: str, paths: list[pathlib.Path], num_samples: int) -> Group:
    """Takes the samples evenly from the shards, and evenly within each."""
    chosen = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, num_samples, dtype=int))]
    per_shard = -(-num_samples // len(chosen))
    serialized = [data for path in chosen for data in _some_records(path, per_shard)]
    schema = checks.schema_of(serialized[0]) if serialized else "empty"
    if not serialized:
        return Group(name, paths, schema, [])
    parsed = tf.io.parse_example(serialized[:num_samples], checks.SPECS[schema]())
    arrays = {key: value.numpy() for key, value in parsed.items()}
    samples = [
        {k: v[i] for k, v in arrays.items()} for i in range(len(arrays[next(iter(arrays))]))
    ]
    return Group(name, paths, schema, samples)


def _some_records(path: pathlib.Path, count: int) -> list[bytes]:
    spans = framing.spans(path)
    if not spans:
        return []
    found = []
    with opened(path) as file:
        for index in np.unique(np.linspace(0, len(spans) - 1, count, dtype=int)):
            file.seek(spans[index].start)
            found.append(file.read(spans[index].size))
    return found


def table(groups: Sequence[Group]) -> str:
    """The summary: counts are of all records, the other columns of the samples."""
    rows = [_HEADINGS, *(_row(group) for group in groups)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _row(group: Group) -> tuple[str, ...]:
    size = sum(path.stat().st_size for path in group.shards)
    about = (
        group.name,
        str(manifest.count_examples(group.shards)),
        str(len(group.shards)),
        f"{size / 1e6:.1f}",
        group.schema,
    )
    if group.schema not in ("image", "image_3d"):
        return (*about, "", "", "", "")
    visible = np.mean([np.sum(sample["image/visibility"] > 0) for sample in group.samples])
    height = np.median([sample["image/height"] for sample in group.samples])
    width = np.median([sample["image/width"] for sample in group.samples])
    has_smpl = [float(sample.get("meta/has_3d", 0.0)) for sample in group.samples]
    return (
        *about,
        f"{visible:.1f}",
        "yes" if group.schema == "image_3d" else "no",
        f"{100 * np.mean(has_smpl):.0f}%",
        f"{width:.0f}x{height:.0f}",
    )


def write_sheet(groups: Sequence[Group], path: pathlib.Path) -> None:
    """Writes the contact sheet of all groups with pictures as a PNG file."""
    drawn = {
        f"{group.name}: {manifest.count_examples(group.shards)} examples": group.samples
        for group in groups
        if group.schema in ("image", "image_3d")
    }
    if not drawn:
        raise ConversionError("No record holds a picture, so there is nothing to draw.")
    encoded = cv2.imencode(".png", contact_sheet.sheet(drawn))[1].tobytes()
    write_bytes(path, encoded)
