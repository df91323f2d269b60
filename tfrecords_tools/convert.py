"""Converts raw data sets to records; the command only calls `convert(ConvertSettings(...))`."""

import dataclasses
import pathlib
import tempfile
from collections.abc import Callable

from tfrecords_tools import writer
from tfrecords_tools.beam_workers import BeamWorkers
from tfrecords_tools.convert_settings import ConvertSettings
from tfrecords_tools.files import check_folder
from tfrecords_tools.paths import is_address
from tfrecords_tools.plan import Plan
from tfrecords_tools.pool import Workers
from tfrecords_tools.readers import amass, coco, human36m, lsp, mosh, mpi_inf_3dhp, mpii

# Data set -> its plans. Making them checks that the raw data is there.
PLANS: dict[str, Callable[[ConvertSettings], list[Plan]]] = {
    "lsp": lambda s: lsp.plans(s.lsp_dir, s.examples_per_shard),
    "lsp_ext": lambda s: lsp.extended_plans(s.lsp_ext_dir, s.examples_per_shard),
    "mpii": lambda s: mpii.plans(s.mpii_dir, s.examples_per_shard),
    "coco": lambda s: coco.plans(
        s.coco_dir, s.examples_per_shard, s.coco_annotations, s.coco_images
    ),
    "mpi_inf_3dhp": lambda s: mpi_inf_3dhp.plans(
        s.mpi_inf_3dhp_dir, s.mpi_inf_3dhp_split, s.seed, s.examples_per_shard
    ),
    "h36m": lambda s: human36m.plans(
        s.h36m_dir, s.mosh_dir, s.h36m_frame_step, s.examples_per_shard
    ),
    "mosh": lambda s: mosh.plans(s.mosh_dir, _spool_dir(s), s.seed, s.mocap_per_shard),
    "amass": lambda s: amass.plans(s.amass_dir, _spool_dir(s), s.seed, s.mocap_per_shard),
}


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a conversion made; `str` gives the table that the user sees."""

    data_dir: pathlib.Path
    results: tuple[writer.Result, ...]

    @property
    def examples(self) -> dict[str, int]:
        """The number of examples of each data set and split."""
        return {result.name: result.manifest.examples for result in self.results}

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("data set", "examples", "shards", "MB", "skipped", "")]
        for result in self.results:
            made = result.manifest
            rows.append(
                (
                    result.name,
                    str(made.examples),
                    str(len(made.shards)),
                    f"{sum(shard.size for shard in made.shards) / 1e6:.1f}",
                    str(sum(made.skipped.values())),
                    "was complete" if result.was_complete else _reasons(made.skipped),
                )
            )
        return f"Records in {self.data_dir}:\n" + _table(rows)


def convert(settings: ConvertSettings) -> Summary:
    """Converts the data sets of `settings`; all raw folders are checked before work starts.

    Raises:
        ConversionError: there is something for the user to fix; the message says what.
        OSError: a file cannot be read or written.
    """
    data_dir = check_folder(settings.data_dir, or_address=True)
    plans = [plan for name in settings.datasets for plan in PLANS[name](settings)]
    data_dir.mkdir(parents=True, exist_ok=True)
    results = []
    with _workers(settings, data_dir) as workers:
        for plan in plans:
            results.append(
                writer.write(
                    plan,
                    data_dir,
                    workers,
                    overwrite=settings.overwrite,
                    max_skipped=settings.max_skipped,
                )
            )
    return Summary(data_dir, tuple(results))


def _workers(settings: ConvertSettings, data_dir: pathlib.Path) -> Workers | BeamWorkers:
    if settings.runner == "beam":
        return BeamWorkers(data_dir, settings.beam_options)
    return Workers(settings.workers)


def _spool_dir(settings: ConvertSettings) -> str:
    """Where rows are kept meanwhile: with the records, unless a way there is of no use."""
    if settings.runner == "local" and is_address(settings.data_dir):
        return tempfile.gettempdir()
    return settings.data_dir


def _reasons(skipped: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in skipped.items())


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:5], widths[1:5], strict=True)]
        lines.append("  ".join([*cells, row[5]]).rstrip())
    return "\n".join(lines)
