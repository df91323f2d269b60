"""Wavefront OBJ files of bodies, upright in programs whose y axis points up."""

import os

import numpy as np

from tfrecords_tools.files import write_text

# From camera axes (x right, y down, z away) to x right, y up, z towards the eye: half a turn
# about x.
TO_Y_UP = np.array([1.0, -1.0, -1.0])


def write_obj(path: str | os.PathLike, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Writes a mesh; it appears under its name when it is complete.

    Args:
        path: the OBJ file.
        vertices: float [V, 3], metres, camera axes; written with y up.
        faces: int [F, 3], from 0.
    """
    corners = "\n".join("v {:.6g} {:.6g} {:.6g}".format(*v) for v in vertices * TO_Y_UP)
    triangles = "\n".join("f {} {} {}".format(*f) for f in (np.asarray(faces) + 1).tolist())
    write_text(path, f"# metres, y up\n{corners}\n{triangles}\n", encoding="ascii")
