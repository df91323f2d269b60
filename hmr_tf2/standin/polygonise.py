"""Marching tetrahedra: the zero level of a function on x >= 0 as triangles, open on x = 0."""

import itertools

import numpy as np

# Six tetrahedra share the diagonal of a cube (Kuhn), which makes neighbouring cubes fit together.
# The bits of a corner's number are x, y, z.
_TETRAHEDRA = np.array(
    [[0, 1 << a, (1 << a) | (1 << b), 7] for a, b in itertools.permutations(range(3), 2)]
)


def sample(distance, low, high, cell: float):
    """Samples `distance` on a grid of nodes from `low` to at least `high`.

    Returns:
        Nodes float64 [X, Y, Z, 3] and values float64 [X, Y, Z].
    """
    axes = [np.arange(a, b + cell, cell) for a, b in zip(low, high, strict=True)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = np.stack([distance(slab.reshape(-1, 3)).reshape(slab.shape[:2]) for slab in nodes])
    # No node may lie on the surface: it would have to be inside or outside.
    return nodes, np.where(np.abs(values) < 1e-9, 1e-9, values)


def triangulate(nodes: np.ndarray, values: np.ndarray):
    """The surface values = 0 as vertices float64 [V, 3] and outward triangles int64 [F, 3]."""
    corners = np.array([[(c >> k) & 1 for k in range(3)] for c in range(8)])
    shape = np.array(values.shape)
    inside = values < 0
    count = sum(
        inside[tuple(slice(c, n - 1 + c) for c, n in zip(corner, shape, strict=True))].astype(int)
        for corner in corners
    )
    cubes = np.argwhere((count > 0) & (count < 8))
    ids = np.ravel_multi_index(np.moveaxis(cubes[:, None] + corners, -1, 0), shape)
    tets = ids[:, _TETRAHEDRA].reshape(-1, 4)
    return _cut(tets, nodes.reshape(-1, 3), values.ravel())


def _cut(tets, points, values):
    """The triangles of all tetrahedra, whose corners are sorted with those inside first.

    The surface cuts off one corner (a triangle), or separates two from two (a quadrilateral).
    """
    order = np.argsort(values[tets], axis=1, kind="stable")
    tets = np.take_along_axis(tets, order, axis=1)
    below = (values[tets] < 0).sum(1)
    one, two, three = (tets[below == k] for k in (1, 2, 3))
    edges = [
        _triangles(one, (0, 1), (0, 2), (0, 3)),
        _triangles(three, (3, 0), (3, 1), (3, 2)),
        _triangles(two, (0, 2), (0, 3), (1, 3)),
        _triangles(two, (0, 2), (1, 3), (1, 2)),
    ]
    outward = np.concatenate(
        [_outward(t, points, k) for t, k in zip((one, three, two, two), (1, 3, 2, 2), strict=True)]
    )
    edges = np.sort(np.concatenate(edges), axis=2)
    keys, faces = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
    # The zero between two nodes, kept off the nodes themselves, where triangles would degenerate.
    a, b = values[keys[:, 0]], values[keys[:, 1]]
    t = np.clip(a / (a - b), 0.02, 0.98)[:, None]
    vertices = points[keys[:, 0]] * (1 - t) + points[keys[:, 1]] * t
    faces = faces.reshape(-1, 3)
    corner = vertices[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    wrong = (normal * outward).sum(1) < 0
    faces[wrong] = faces[wrong][:, ::-1]
    return vertices, faces


def _triangles(tets, *edges):
    """int64 [T, 3, 2]: for each tetrahedron the node pairs that carry a triangle's corners."""
    return np.stack([tets[:, list(edge)] for edge in edges], axis=1)


def _outward(tets, points, num_inside):
    """float64 [T, 3]: from the corners inside to those outside, for the triangles' orientation."""
    inner = points[tets[:, :num_inside]].mean(1)
    return points[tets[:, num_inside:]].mean(1) - inner
