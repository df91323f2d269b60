"""Measures seconds and memory of 200 pickles that were made to hang a reader or fill its memory.

python benchmarks/hostile_pickles.py [--chart=docs/pictures/hostile_pickles.png]

Each is read in a process of its own, which ends after a minute or at 8 GiB. The families are those
of the tests; those that can grow do so from 300 bytes to a megabyte.
"""

import argparse
import os
import pathlib
import resource
import sys
import tempfile
import time
from typing import NamedTuple

import matplotlib
import numpy as np

from tfrecords_tools.pickles import safe_pickle

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests" / "tfrecords_tools"))

import hostile_pickles  # noqa: E402

matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402

SIZES = np.unique(np.geomspace(300, 1_000_000, 14).astype(int)).tolist()
MAX_SECONDS, MAX_BYTES = 60, 8 << 30


class Measured(NamedTuple):
    """What it took to read, or refuse, one file."""

    family: str
    file_bytes: int
    seconds: float
    memory_bytes: int
    answer: str


def measure(family: str, path: pathlib.Path) -> Measured:
    """Reads the file in a child of this process, which has imported everything."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
        before, start = _peak_bytes(), time.perf_counter()
        answer = _answer(path)
        seconds = time.perf_counter() - start
        os.write(writer, f"{seconds} {_peak_bytes() - before} {answer}".encode())
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    seconds, memory, answer = text.split(" ", 2) if text else (MAX_SECONDS, MAX_BYTES, "killed")
    return Measured(family, path.stat().st_size, float(seconds), int(memory), answer)


def draw(measured: list[Measured], path: pathlib.Path) -> None:
    """Writes the chart: memory and seconds against the size of the file."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(8, 8), sharex=True)
    kinds = {"refused": ("tab:blue", "o"), "loaded": ("tab:orange", "^"), "killed": ("red", "x")}
    for kind, (color, marker) in kinds.items():
        rows = [row for row in measured if row.answer.startswith(kind)]
        if not rows:
            continue
        label = f"{kind} ({len(rows)})"
        sizes = [row.file_bytes / 1e3 for row in rows]
        style = {"color": color, "marker": marker, "s": 16, "alpha": 0.7, "linewidths": 1}
        above.scatter(sizes, [row.memory_bytes / 1e6 for row in rows], label=label, **style)
        below.scatter(sizes, [row.seconds for row in rows], **style)
    for axes, text in ((above, "memory above the idle reader, MB"), (below, "seconds")):
        axes.set(xscale="log", yscale="symlog" if axes is above else "log", ylabel=text)
        axes.grid(alpha=0.3)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
    below.set_xlabel("size of the file, kB")
    above.set_ylim(0, 300)
    above.set_title(f"{len(measured)} pickles made to hang the reader or to fill its memory")
    above.legend(loc="upper left")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _answer(path: pathlib.Path) -> str:
    try:
        safe_pickle.load(path)
    except ValueError as error:
        return f"refused: {str(error).removeprefix(str(path))[:100]}"
    except MemoryError:
        return "killed"
    return "loaded"


def _peak_bytes() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--chart", type=pathlib.Path, help="PNG file to draw the chart to; by default, none."
    )
    options = parser.parse_args()
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        for (family, size), data in hostile_pickles.all_pickles(SIZES).items():
            path = pathlib.Path(folder, f"{size}.pkl")
            path.write_bytes(data)
            row = measure(family, path)
            measured.append(row)
            print(
                f"{row.family:26} {row.file_bytes:9,} bytes {row.seconds:7.3f} s "
                f"{row.memory_bytes / 1e6:7.1f} MB  {row.answer}"
            )
    print(
        f"{len(measured)} files: at most {max(row.seconds for row in measured):.2f} s and "
        f"{max(row.memory_bytes for row in measured) / 1e6:.0f} MB"
    )
    if options.chart:
        draw(measured, options.chart)


if __name__ == "__main__":
    main()
