"""Writes raw data sets of stand-in people in the layouts of the real ones."""

import pathlib
from collections.abc import Iterable, Mapping

from hmr_tf2.standin.people import EVERYDAY, Variety
from hmr_tf2.standin.raw import coco, human36m, lsp, mosh, mpi_inf_3dhp, mpii
from hmr_tf2.standin.raw.runner import Order, write_whole
from tfrecords_tools.datasets import STANDIN_DATASETS

# Folder, data set -> writer of that folder; the names are those of `convert_datasets --datasets`.
_FOLDERS = {
    "lsp": {"lsp_dataset": lsp.write},
    "lsp_ext": {"lsp_extended": lsp.write_extended},
    "mpii": {"mpii": mpii.write},
    "coco": {"coco": coco.write},
    "mpi_inf_3dhp": {"mpi_inf_3dhp": mpi_inf_3dhp.write},
    "h36m": {
        "human36m": human36m.write,
        "neutrMosh/neutrSMPL_H3.6": human36m.write_mosh,
    },
    "mosh": {
        "neutrMosh/neutrSMPL_CMU": mosh.write_cmu,
        "neutrMosh/neutrSMPL_H3.6": mosh.write_h36m,
        "neutrMosh/neutrSMPL_jointLim": mosh.write_joint_limits,
    },
}


def write_raw(
    out_dir,
    people: int | Mapping[str, int],
    seed: int = 0,
    datasets: Iterable[str] = STANDIN_DATASETS,
    workers: int = 2,
    variety: Variety = EVERYDAY,
) -> dict[str, pathlib.Path]:
    """Writes `datasets` below `out_dir`.

    Args:
        out_dir: where the folders of the data sets appear, each when it is complete.
        people: number of pictures per data set (for mosh, of clips), or a number for each by name.
        seed: the same seed gives the same bytes, whatever the number of workers.
        datasets: some of `STANDIN_DATASETS`.
        workers: threads that draw.
        variety: how much pictures differ; `people.PLAIN` is easiest to learn from.

    Returns:
        The folder of each data set, as `convert_datasets` expects it.
    """
    datasets = list(datasets)
    unknown = sorted(set(datasets) - set(_FOLDERS))
    if unknown or not datasets:
        raise ValueError(
            f"`datasets` must be some of {', '.join(_FOLDERS)}, "
            f"got {', '.join(unknown) or 'none'}."
        )
    folders = {}
    for name in datasets:
        order = Order(people if isinstance(people, int) else people[name], seed, workers, variety)
        if order.people < 1 or workers < 1:
            raise ValueError(
                f"`people` and `workers` must be positive, got {order.people} and {workers}."
            )
        for folder, write in _FOLDERS[name].items():
            # Human3.6M brings its own MoSh files, of the very people in its videos.
            if name != "h36m" and "h36m" in datasets and folder in _FOLDERS["h36m"]:
                continue
            write_whole(pathlib.Path(out_dir) / folder, order, write)
        first = next(iter(_FOLDERS[name]))
        folders[name] = pathlib.Path(out_dir) / first.split("/")[0]
    return folders
