"""The manifest beside the shards: settings, counts, skips and hashes; and counting records."""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterable
from typing import Any

from tfrecords_tools import framing
from tfrecords_tools.files import write_text
from tfrecords_tools.paths import path_of
from tfrecords_tools.plan import ConversionError

FORMAT = 1
SUFFIX = ".manifest.json"
# Remembers the counts of files that came without a manifest, by name, size and time.
COUNTS_FILE = "record_counts.json"


@dataclasses.dataclass
class Shard:
    """One finished shard.

    Attributes:
        file: its name, in the folder of the manifest.
        examples: how many it holds.
        size: its size in bytes.
        sha256: hash of its content.
        next: the raw item in which the next shard begins, and how many Examples of that item are
            written already.
        skipped: reason -> count, since the end of the previous shard.
        faults: `reason: what` for each sample that could not be used, since then.
    """

    file: str
    examples: int
    size: int
    sha256: str
    next: tuple[int, int]
    skipped: dict[str, int]
    faults: list[str]


@dataclasses.dataclass
class Manifest:
    """All that is known of one set of shards; `tail_*` is what was skipped after the last one."""

    name: str
    schema: str
    settings: dict[str, Any]
    shards: list[Shard] = dataclasses.field(default_factory=list)
    complete: bool = False
    tail_skipped: dict[str, int] = dataclasses.field(default_factory=dict)
    tail_faults: list[str] = dataclasses.field(default_factory=list)

    @property
    def examples(self) -> int:
        return sum(shard.examples for shard in self.shards)

    @property
    def skipped(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for part in (*(shard.skipped for shard in self.shards), self.tail_skipped):
            for reason, count in part.items():
                total[reason] = total.get(reason, 0) + count
        return dict(sorted(total.items()))

    @property
    def faults(self) -> list[str]:
        return [f for shard in self.shards for f in shard.faults] + self.tail_faults

    def save(self, path: pathlib.Path) -> None:
        """Writes it whole or not at all."""
        write_text(path, self.as_text())

    def as_text(self) -> str:
        """JSON, with the sums and a checksum of all the rest."""
        values = dataclasses.asdict(self)
        values = {
            "format": FORMAT,
            "complete": values.pop("complete"),
            "examples": self.examples,
            "skipped": self.skipped,
            **values,
        }
        digest = hashlib.sha256(json.dumps(values).encode()).hexdigest()
        return json.dumps({**values, "checksum": digest}, indent=1) + "\n"


def path_for(data_dir: pathlib.Path, shards: str) -> pathlib.Path:
    """`lsp/train_%03d.tfrecord` -> `lsp/train.manifest.json`; `test/*.x` -> `test/test.m...`."""
    stem = re.split(r"_?%|\*", shards)[0]
    name = pathlib.PurePath(stem).name
    folder = pathlib.PurePath(stem) if stem.endswith("/") else pathlib.PurePath(stem).parent
    return data_dir / folder / f"{name}{SUFFIX}"


def load(path: pathlib.Path) -> Manifest:
    """Reads a manifest that `Manifest.save` wrote; one that was altered afterwards is refused."""
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text)
        fields = {field.name for field in dataclasses.fields(Manifest)} - {"shards"}
        shards = [Shard(**{**s, "next": tuple(s["next"])}) for s in values["shards"]]
        found = Manifest(**{name: values[name] for name in fields}, shards=shards)
        if values["format"] == FORMAT and found.as_text() == text:
            return found
        if values["format"] != FORMAT:
            cause = f"its format is {values['format']!r}, expected {FORMAT}"
        else:
            cause = "its content does not match its checksum"
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        cause = f"{type(error).__name__}: {error}"
    raise ConversionError(
        f"{path} is damaged, was altered, or is from another version of this program ({cause}). "
        "Restore it, or convert again with --overwrite."
    )


def count_examples(paths: Iterable[str | os.PathLike]) -> int:
    """The number of Examples in the record files `paths`.

    The manifest beside them gives it. Files without one (made by the original's programs) are
    counted once, and the count is remembered beside them if the folder can be written to.
    """
    folders: dict[pathlib.Path, list[pathlib.Path]] = {}
    for path in map(path_of, paths):
        folders.setdefault(path.parent, []).append(path)
    return sum(_count_in(folder, files) for folder, files in folders.items())


def _count_in(folder: pathlib.Path, files: list[pathlib.Path]) -> int:
    known = _known_counts(folder)
    remembered = _remembered(folder)
    total = 0
    new: dict[str, int] = {}
    for path in files:
        status = path.stat()
        if known.get(path.name, (None,))[0] == status.st_size:
            total += known[path.name][1]
            continue
        key = f"{path.name}:{status.st_size}:{status.st_mtime_ns}"
        if key not in remembered:
            new[key] = framing.count_records(path)
        total += remembered[key] if key in remembered else new[key]
    if new:
        try:
            write_text(folder / COUNTS_FILE, json.dumps(remembered | new, indent=1) + "\n")
        except OSError:
            pass  # The data folder is read-only: the records are counted again next time.
    return total


def _known_counts(folder: pathlib.Path) -> dict[str, tuple[int, int]]:
    """File name -> size and number of Examples, from the manifests of `folder`."""
    known: dict[str, tuple[int, int]] = {}
    for path in folder.glob(f"*{SUFFIX}"):
        known |= {shard.file: (shard.size, shard.examples) for shard in load(path).shards}
    return known


def _remembered(folder: pathlib.Path) -> dict[str, int]:
    try:
        values = json.loads((folder / COUNTS_FILE).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return {}
    is_count = re.compile(r".+:\d+:\d+\Z")
    return {k: v for k, v in values.items() if is_count.match(k) and isinstance(v, int)}
