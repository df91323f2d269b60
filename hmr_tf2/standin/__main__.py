"""Writes stand-in people in the raw layouts of the data sets that HMR is trained on.

python -m hmr_tf2.standin --out=raw --people=500 --seed=0 --datasets=lsp,mpi_inf_3dhp,mosh
"""

import dataclasses
import math
import time

from absl import app, flags

from hmr_tf2.standin import raw_layouts
from hmr_tf2.standin.body import write_model_files
from hmr_tf2.standin.contact_sheet import write_contact_sheet
from hmr_tf2.standin.people import EVERYDAY, PLAIN

_OUT = flags.DEFINE_string("out", None, "Folder for the raw data sets.", required=True)
_PEOPLE = flags.DEFINE_integer("people", 500, "Pictures a data set (clips, for mosh).", 1)
_SEED = flags.DEFINE_integer("seed", 0, "The same seed gives the same files.", 0)
_DATASETS = flags.DEFINE_list(
    "datasets", list(raw_layouts.DATASETS), f"Which, of {', '.join(raw_layouts.DATASETS)}."
)
_WORKERS = flags.DEFINE_integer("workers", 2, "Threads that draw.", 1)
_PLAIN = flags.DEFINE_bool("plain", False, "Bare scenery, nothing before the people, no noise.")
_TURN = flags.DEFINE_integer(
    "turn", 180, "How far, in degrees, people may face away from the camera.", 1, 180
)
_SHEET = flags.DEFINE_string("sheet", None, "PNG that shows body and people, if wanted.")
_MODELS = flags.DEFINE_string("models", None, "Folder for the body's files, if wanted.")


flags.register_validator(
    _DATASETS,
    lambda names: names and set(names) <= set(raw_layouts.DATASETS),
    f"--datasets takes names of {', '.join(raw_layouts.DATASETS)}, separated by commas.",
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {' '.join(argv[1:])}")
    start = time.perf_counter()
    folders = raw_layouts.write_raw(
        _OUT.value,
        _PEOPLE.value,
        _SEED.value,
        _DATASETS.value,
        _WORKERS.value,
        dataclasses.replace(PLAIN if _PLAIN.value else EVERYDAY, turn=math.radians(_TURN.value)),
    )
    for name, folder in folders.items():
        print(f"{name}: {folder}")
    if _MODELS.value:
        print(f"body: {write_model_files(_MODELS.value)}")
    if _SHEET.value:
        write_contact_sheet(_SHEET.value, _SEED.value)
        print(f"sheet: {_SHEET.value}")
    print(f"{time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    app.run(main)
