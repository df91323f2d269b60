"""Leeds Sports Pose and its extension: images/im*.jpg and joints.mat."""

import functools
import pathlib

import numpy as np

from hmr_tf2.standin import backgrounds, people
from hmr_tf2.standin.raw.runner import Order, write_mat
from tfrecords_tools import joints

_STREAM, _STREAM_EXTENDED = 1, 2


def write(folder: pathlib.Path, order: Order):
    """Writes LSP: `joints` [3, 14, N], whose third row is 1 where a joint is hidden."""
    keypoints = _pictures(folder, order, _STREAM, 4, "lsp")
    labels = np.moveaxis(keypoints, 0, 2).transpose(1, 0, 2).astype(np.float64)
    labels[2] = 1 - labels[2]
    write_mat(folder / "joints.mat", {"joints": labels})


def write_extended(folder: pathlib.Path, order: Order):
    """Writes LSP-extended: `joints` [14, 3, N], whose third column is 1 for annotated joints."""
    keypoints = _pictures(folder, order, _STREAM_EXTENDED, 5, "lsp_ext")
    labels = np.moveaxis(keypoints, 0, 2).astype(np.float64)
    write_mat(folder / "joints.mat", {"joints": labels})


def _pictures(folder, order, stream, digits, label):
    """Writes all pictures; returns float32 [N, 14, 3] of x, y, visibility."""
    (folder / "images").mkdir()
    draw = functools.partial(_picture, folder, order, stream, digits)
    return np.stack(order.run(draw, range(order.people), label))


def _picture(folder, order, stream, digits, number):
    """Writes a person about 150 px tall in a picture not much larger, as in the real set."""
    rng = order.rng(stream, number)
    size = tuple(int(q) for q in rng.integers(170, 250, 2))
    share = np.array([135, 165]) / min(size)
    photo = people.random_photo(rng, size, height_share=tuple(share), variety=order.variety)
    path = folder / "images" / f"im{number + 1:0{digits}d}.jpg"
    path.write_bytes(backgrounds.jpeg(rng, photo.image))
    person = photo.people[0]
    columns = np.column_stack([person.keypoints_px, person.visible])
    return columns[list(joints.COCO_PLUS.indices(joints.LSP.names))]
