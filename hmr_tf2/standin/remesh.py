"""Isotropic remeshing of an open, orientable triangle mesh to given edge lengths and counts.

This is the classic recipe (Botsch and Kobbelt, 2004): split long edges, collapse short ones, flip
towards valence six, relax in the tangent plane, project. The border stays in the plane x = 0.
"""

import numpy as np

from hmr_tf2.standin.editable_mesh import Mesh


def remesh(vertices, faces, edge_length, project, rounds: int):
    """Brings every edge near `edge_length(points)`; returns new vertices and faces."""
    for _ in range(rounds):
        mesh = Mesh(vertices, faces)
        for a, b in _sorted_edges(mesh, edge_length, longest=True):
            mesh.split(a, b)
        _collapse_short(mesh, edge_length)
        _flip_all(mesh)
        vertices, faces = mesh.arrays()
        vertices = project(relax(vertices, faces))
    return vertices, faces


def to_count(vertices, faces, edge_length, num_full: int):
    """Collapses edges until the mirrored, sewn mesh has exactly `num_full` vertices.

    A border vertex counts once, any other twice: 2 V - B.
    """
    mesh = Mesh(vertices, faces)
    excess = _full_count(mesh) - num_full
    if excess < 0:
        raise ValueError(
            f"The half mesh gives {num_full + excess} vertices; expected at least {num_full}."
        )
    # An edge on the border lowers the count by one, an edge inside by two.
    while excess:
        for a, b in _by_ratio(mesh, edge_length):
            on_border = mesh.is_border(a) + mesh.is_border(b)
            if not (mesh.around[a] and mesh.around[b]) or b not in mesh.neighbours(a):
                continue
            if on_border == (2 if excess % 2 else 0) and mesh.collapse(a, b):
                excess -= 1 if excess % 2 else 2
                if excess == 0 or excess % 2 == 0 and on_border == 2:
                    break
    return mesh.arrays()


def relax(vertices: np.ndarray, faces: np.ndarray, amount=0.6) -> np.ndarray:
    """Moves vertices towards the mean of their neighbours, within the tangent plane.

    Those of the border look only at their neighbours there, so that the border does not shrink.
    """
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    both = np.sort(edges, axis=1)
    unique, counts = np.unique(both, axis=0, return_counts=True)
    border_edges = unique[counts == 1]
    border = np.zeros(len(vertices), bool)
    border[border_edges] = True
    inner = unique[~(border[unique[:, 0]] & border[unique[:, 1]])]
    mean = vertices.copy()
    for pairs, rows in ((inner, ~border), (border_edges, border)):
        total, number = np.zeros_like(vertices), np.zeros(len(vertices))
        for i, j in ((0, 1), (1, 0)):
            np.add.at(total, pairs[:, i], vertices[pairs[:, j]])
            np.add.at(number, pairs[:, i], 1)
        rows = rows & (number > 0)
        mean[rows] = total[rows] / number[rows, None]
    normals = vertex_normals(vertices, faces)
    normals[border, 0] = 0
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    step = mean - vertices
    step -= (step * normals).sum(1, keepdims=True) * normals
    step[border, 0] = 0
    return vertices + amount * step


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """float64 [V, 3]: unit normals, weighted by triangle areas."""
    corner = vertices[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    total = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(total, faces[:, k], normal)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def mirror(vertices: np.ndarray, faces: np.ndarray):
    """Sews the half x >= 0 to its mirror image.

    Returns:
        vertices [V, 3], faces [F, 3], and the permutation [V] of vertices that mirrors x.
    """
    seam = vertices[:, 0] == 0
    twin = np.arange(len(vertices))
    twin[~seam] = len(vertices) + np.arange((~seam).sum())
    whole = np.concatenate([vertices, vertices[~seam] * [-1, 1, 1]])
    permutation = np.concatenate([twin, np.flatnonzero(~seam)])
    return whole, np.concatenate([faces, twin[faces][:, ::-1]]), permutation


def _full_count(mesh):
    alive = [v for v, faces in enumerate(mesh.around) if faces]
    return 2 * len(alive) - sum(mesh.is_border(v) for v in alive)


def _ratios(mesh, edge_length):
    edges = mesh.edges()
    points = np.array(mesh.points)
    a, b = points[edges[:, 0]], points[edges[:, 1]]
    return edges, np.linalg.norm(a - b, axis=1) / edge_length((a + b) / 2)


def _by_ratio(mesh, edge_length):
    edges, ratio = _ratios(mesh, edge_length)
    return edges[np.argsort(ratio, kind="stable")].tolist()


def _sorted_edges(mesh, edge_length, longest):
    edges, ratio = _ratios(mesh, edge_length)
    # The limits of Botsch and Kobbelt: beyond them an edge is nearer to the goal after the change.
    chosen = ratio > 4 / 3 if longest else ratio < 4 / 5
    order = np.argsort(-ratio[chosen] if longest else ratio[chosen], kind="stable")
    return edges[chosen][order].tolist()


def _collapse_short(mesh, edge_length, passes=12):
    for _ in range(passes):
        touched, done = set(), 0
        for a, b in _sorted_edges(mesh, edge_length, longest=False):
            if a in touched or b in touched or b not in mesh.neighbours(a):
                continue
            if mesh.collapse(a, b):
                touched.update((a, b))
                done += 1
        if done < 10:
            return


def _flip_all(mesh):
    for a, b in mesh.edges().tolist():
        if mesh.around[a] & mesh.around[b]:
            mesh.flip(a, b)
