"""The renderer's loops as NumPy arrays: slower, without a compiler, and written another way."""

import contextlib
from collections.abc import Iterator
from unittest import mock

import numpy as np

from hmr_tf2.visualization import raster
from hmr_tf2.visualization.raster import EMPTY


@contextlib.contextmanager
def in_place_of_the_compiled() -> Iterator[None]:
    """The renderer draws with the functions of this module."""
    with mock.patch.multiple(
        raster, rasterize=rasterize, corner_normals=corner_normals, resolve=resolve
    ):
        yield


def rasterize(points, faces, colors, height, width, cull):
    """`raster.rasterize`, bit for bit: every (triangle, sample) pair at once."""
    x, y = points[:, 0], points[:, 1]
    (ax, bx, cx), (ay, by, cy) = x[faces].T, y[faces].T
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    low = np.ceil([np.minimum(ax, np.minimum(bx, cx)), np.minimum(ay, np.minimum(by, cy))])
    high = np.floor([np.maximum(ax, np.maximum(bx, cx)), np.maximum(ay, np.maximum(by, cy))])
    low = np.clip(low, 0, [[width], [height]]).astype(np.int64)
    high = np.clip(high, -1, [[width - 1], [height - 1]]).astype(np.int64)
    columns, rows = np.maximum(high - low + 1, 0)
    drawn = (area < 0) if cull else (area != 0)
    count = np.where(drawn, columns * rows, 0)
    f = np.repeat(np.arange(len(faces)), count)
    rank = np.arange(len(f)) - np.repeat(np.cumsum(count) - count, count)
    px, py = low[0, f] + rank % columns[f], low[1, f] + rank // columns[f]
    u = ((bx[f] - px) * (cy[f] - py) - (by[f] - py) * (cx[f] - px)) / area[f]
    v = ((cx[f] - px) * (ay[f] - py) - (cy[f] - py) * (ax[f] - px)) / area[f]
    w = 1.0 - u - v
    hit = (u >= 0) & (v >= 0) & (w >= 0)
    f, px, py, u, v, w = (q[hit] for q in (f, px, py, u, v, w))
    az, bz, cz = points[:, 2][faces[f]].T
    z = u * az + v * bz + w * cz
    place = py * width + px
    order = np.lexsort((f, -z, place))
    place, first = np.unique(place[order], return_index=True)
    best = order[first]
    near = np.full(height * width, EMPTY)
    near[place] = z[best]
    picture = np.zeros((height * width, 3), np.float32)
    weight = np.stack([u, v, w], axis=1)[best]
    ca, cb, cc = (colors[faces[f[best], k]] for k in range(3))
    picture[place] = weight[:, :1] * ca + weight[:, 1:2] * cb + weight[:, 2:] * cc
    return near.reshape(height, width), picture.reshape(height, width, 3)


def corner_normals(vertices, faces):
    """`raster.corner_normals`, up to rounding."""
    corner = vertices[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    total = np.stack(
        [
            np.bincount(faces.ravel(), np.repeat(normal[:, k], 3), minlength=len(vertices))
            for k in range(3)
        ],
        axis=1,
    )
    size = np.linalg.norm(total, axis=1, keepdims=True)
    return total / np.where(size > 0, size, 1.0)


def resolve(near, picture, background, samples):
    """`raster.resolve`, up to rounding."""
    height, width = near.shape[0] // samples, near.shape[1] // samples
    blocks = near.reshape(height, samples, width, samples)
    coverage = (blocks > EMPTY).mean((1, 3)).astype(np.float32)
    colour = picture.reshape(height, samples, width, samples, 3).mean((1, 3))
    image = colour + (1 - coverage[..., None]) * background
    return image.astype(np.float32), coverage, blocks.max((1, 3))
