"""Writes stand-in people in the raw layouts of the data sets that HMR is trained on.

python -m hmr_tf2.standin --out=raw --people=500 --models=models
"""

import dataclasses
import math
import os
import time

from hmr_tf2 import commands
from tfrecords_tools.datasets import STANDIN_DATASETS
from tfrecords_tools.files import check_folder
from tfrecords_tools.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class StandinSettings:
    """How many people, how they look, and where they go."""

    out: str | None = setting(None, "Folder to write the raw data sets to.", "output")
    models: str | None = setting(
        None, "Folder to write the body's model files to; the default writes none.", "output"
    )
    sheet: str | None = setting(
        None,
        "PNG or JPEG file to write a picture of the body and people to; the default writes none.",
        "output",
    )

    datasets: tuple[str, ...] = setting(
        STANDIN_DATASETS,
        "Data sets to write, separated by commas.",
        "people",
        choices=STANDIN_DATASETS,
    )
    people: int = setting(
        500,
        "Number of pictures per data set, and for mosh of motion clips. Sets that are made of "
        "sequences get about as many, but at least one frame of each sequence; some get "
        "pictures for testing besides.",
        "people",
        minimum=1,
    )
    plain: bool = setting(
        False,
        "Draw bare scenery, with nothing in front of the people and without camera noise.",
        "people",
    )
    turn: int = setting(
        180,
        "How far people may face away from the camera, in degrees.",
        "people",
        minimum=1,
        below=181,
    )
    seed: int = setting(0, "Random seed; the same seed gives the same files.", "people", minimum=0)

    workers: int = setting(
        0, "Number of threads that draw; 0 starts one per core.", "speed", minimum=0
    )

    def __post_init__(self):
        check_settings(self)
        if not self.out:
            raise ValueError("--out is needed: the folder for the raw data sets.")
        if not self.datasets:
            raise ValueError(
                f"--datasets names no data set; it accepts {', '.join(STANDIN_DATASETS)}."
            )
        if self.sheet and not self.sheet.lower().endswith((".png", ".jpg", ".jpeg")):
            raise ValueError(f"--sheet must end with .png or .jpg; got {self.sheet!r}.")


def main(settings: StandinSettings) -> None:
    # Importing SciPy, numba and OpenCV takes seconds, which --help should not.
    from hmr_tf2.standin import body, contact_sheet, people, raw_layouts

    for folder in filter(None, (settings.out, settings.models)):
        check_folder(folder)
    start = time.perf_counter()
    variety = people.PLAIN if settings.plain else people.EVERYDAY
    folders = raw_layouts.write_raw(
        settings.out,
        settings.people,
        settings.seed,
        settings.datasets,
        settings.workers or os.cpu_count() or 1,
        dataclasses.replace(variety, turn=math.radians(settings.turn)),
    )
    for name, folder in folders.items():
        print(f"{name}: {folder}")
    if settings.models:
        print(f"body: {body.write_model_files(settings.models)}")
    if settings.sheet:
        contact_sheet.write_contact_sheet(settings.sheet, settings.seed)
        print(f"sheet: {settings.sheet}")
    print(f"{time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    commands.run(main, StandinSettings, __doc__)
