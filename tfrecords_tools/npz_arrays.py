"""Arrays of an .npz file from anywhere: no code of it runs, and it fills no more memory than due.

A zip file of a few kilobytes can announce gigabytes. So what an array announces is compared with
what the file holds before any of it is unpacked.
"""

import os
import zipfile
from collections.abc import Iterable

import numpy as np

from tfrecords_tools import array_files, file_kinds

# An array up to the first size may be packed as tightly as it likes (a body at rest is nearly all
# zeros); a larger one only by the ratio, which poses of a moving body never reach.
_FREE_BYTES = 64 << 20
_MAX_RATIO = 50
_MAX_BYTES = 2 << 30


def read_arrays(path: str | os.PathLike, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Those of the arrays `names` that an .npz file has; it may hold others, which are not read.

    Raises:
        ValueError: the file is damaged or no .npz file, an array holds Python objects, or it
            announces more than the file can hold; the message says which.
        OSError: the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            present = {info.filename: info for info in archive.infolist()}
            return {
                name: _read(archive, present[f"{name}.npy"], name)
                for name in names
                if f"{name}.npy" in present
            }
    except (OSError, ValueError):
        raise
    except Exception as error:  # zipfile, zlib and NumPy meet damage with a dozen kinds of errors
        kind = file_kinds.kind_of_file(path)
        what = f"it is {kind}" if kind not in (None, file_kinds.NPZ) else str(error)
        raise ValueError(f"it is no whole .npz file: {what}") from error


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> np.ndarray:
    announced = info.file_size
    if announced > max(_FREE_BYTES, _MAX_RATIO * info.compress_size) or announced > _MAX_BYTES:
        raise ValueError(
            f"`{name}` announces {announced:,} bytes, but the file holds {info.compress_size:,}"
        )
    with archive.open(info) as file:
        try:
            array = array_files.read_array(file, announced)
        except ValueError as error:
            raise ValueError(f"`{name}` cannot be read: {error}") from error
        file.read(1)  # only at the end does zipfile compare the checksum
    return array
