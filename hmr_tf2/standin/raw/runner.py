"""What all raw writers share: threads that draw, folders that appear whole, random streams."""

import concurrent.futures
import dataclasses
import io
import json
import math
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import scipy.io
from tqdm import tqdm

from hmr_tf2.standin import appearance, posing
from hmr_tf2.standin.people import EVERYDAY, Variety
from tfrecords_tools.files import making_folder, remove_leftovers

RECEIPT = "standin.json"


@dataclasses.dataclass(frozen=True)
class Order:
    """How much of a data set is wanted: `people` pictures of some `variety`, drawn from `seed`."""

    people: int
    seed: int
    workers: int = 2
    variety: Variety = EVERYDAY

    def rng(self, *path: int) -> np.random.Generator:
        """The random numbers of one picture, which do not depend on who draws it, or when."""
        return np.random.default_rng([self.seed, *path])

    def run(self, function: Callable, jobs: Sequence, label: str, unit="img") -> list:
        """[function(job) for job in jobs] by several threads, with a progress bar.

        Threads are enough: nearly all the time is spent in compiled code that lets others run.
        """
        posing.standin_poser()
        appearance.atlas()
        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            return list(
                tqdm(
                    pool.map(function, jobs), total=len(jobs), desc=label, unit=unit, disable=None
                )
            )


def write_mat(path: pathlib.Path, content: dict):
    """Writes a MATLAB 5 file as SciPy does, but without the time of day in its first line."""
    file = io.BytesIO()  # SciPy goes back and forth a lot, which is slow on a disk
    scipy.io.savemat(file, content)
    file.seek(0)
    file.write(b"MATLAB 5.0 MAT-file".ljust(116))
    path.write_bytes(file.getvalue())


def write_whole(folder: pathlib.Path, order: Order, write: Callable) -> pathlib.Path:
    """Calls `write(partial folder, order)` and renames the folder when it is complete.

    A folder that the same writer made earlier to the same order is kept.
    """
    wanted = {"writer": write.__module__, **dataclasses.asdict(order)}
    del wanted["workers"]
    if folder.exists():
        receipt = folder / RECEIPT
        if receipt.exists() and json.loads(receipt.read_text()) == wanted:
            return folder
        raise FileExistsError(
            f"{folder} exists, but was not made with {_in_words(order)}; remove it or choose "
            "another folder."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    # Flushing thousands of pictures would take longer than to draw them again.
    with making_folder(folder, flush=False) as partial:
        write(partial, order)
        (partial / RECEIPT).write_text(json.dumps(wanted))
    return folder


def _in_words(order: Order) -> str:
    variety = order.variety
    return (
        f"people={order.people}, seed={order.seed}, a turn of {math.degrees(variety.turn):.0f} "
        f"degrees, objects in front of {variety.occluded:.0%} of the people and clutter of "
        f"{variety.clutter:g}"
    )
