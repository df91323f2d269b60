"""Times the writers of raw stand-in data sets and prints pictures per second for each.

python benchmarks/standin.py [--people=280] [--workers=2] [--datasets=coco,h36m]

The time that passes depends on what else the machine does. The processor's time does not, so that
workers / (processor seconds per picture) is what an idle machine can reach.
"""

import pathlib
import tempfile
import time
from typing import NamedTuple

import cv2
from absl import app, flags

from hmr_tf2.standin import raw_layouts
from tfrecords_tools.datasets import STANDIN_DATASETS

_PEOPLE = flags.DEFINE_integer("people", 280, "Number of pictures per data set.", 8)
_WORKERS = flags.DEFINE_integer("workers", 2, "Number of threads that draw.", 1)
_DATASETS = flags.DEFINE_list(
    "datasets", [name for name in STANDIN_DATASETS if name != "mosh"], "Data sets to time."
)
TARGET = 60


class Timing(NamedTuple):
    """For one data set: pictures written, seconds that passed, seconds of processor time."""

    pictures: int
    elapsed: float
    processor: float


def measure(folder: pathlib.Path, name: str, people: int, workers: int) -> Timing:
    """Times data set `name`; the body and what is compiled must have been used before."""
    elapsed, processor = time.perf_counter(), time.process_time()
    raw_layouts.write_raw(folder, people, 0, [name], workers)
    elapsed, processor = time.perf_counter() - elapsed, time.process_time() - processor
    return Timing(count_pictures(folder), elapsed, processor)


def count_pictures(folder: pathlib.Path) -> int:
    """Counts JPEGs, and every fifth frame of videos, which show each picture five times."""
    videos = [cv2.VideoCapture(str(path)) for path in folder.rglob("*.mp4")]
    frames = sum(int(video.get(cv2.CAP_PROP_FRAME_COUNT)) for video in videos)
    return len(list(folder.rglob("*.jpg"))) + frames // 5


def main(argv):
    del argv
    print(f"Target: {TARGET} pictures per second with 2 workers.")
    print(f"{'':14s}{'pictures':>9s}{'per s':>10s}{'processor ms':>14s}{'when idle':>11s}")
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        raw_layouts.write_raw(root / "warm", 8, 1, _DATASETS.value, 1)
        for name in _DATASETS.value:
            timing = measure(root / name, name, _PEOPLE.value, _WORKERS.value)
            cost = timing.processor / timing.pictures
            print(
                f"{name:14s}{timing.pictures:9d}{timing.pictures / timing.elapsed:10.1f}"
                f"{1000 * cost:14.1f}{_WORKERS.value / cost:11.1f}"
            )


if __name__ == "__main__":
    app.run(main)
