"""Isotropic remeshing of an open, orientable triangle mesh to wanted edge lengths and counts.

The classic recipe (Botsch and Kobbelt 2004): split long edges, collapse short ones, flip towards
valence six, relax in the tangent plane, project. The border stays in the plane x = 0.
"""

import numpy as np


class Mesh:
    """Triangles that can be split, collapsed and flipped one edge at a time."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray):
        self.points = [np.array(p) for p in vertices]
        self.faces = {k: tuple(map(int, f)) for k, f in enumerate(faces)}
        self.around = [set() for _ in vertices]
        self._next = len(faces)
        for k, face in self.faces.items():
            for v in face:
                self.around[v].add(k)

    def arrays(self):
        """vertices float64 [V, 3] and faces int64 [F, 3] without the removed ones."""
        faces = np.array(list(self.faces.values()))
        used, packed = np.unique(faces, return_inverse=True)
        return np.array(self.points)[used], packed.reshape(-1, 3)

    def edges(self) -> np.ndarray:
        """int64 [E, 2]: every edge once."""
        faces = np.array(list(self.faces.values()))
        return np.unique(
            np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0
        )

    def neighbours(self, v: int) -> set:
        """The vertices that share an edge with `v`."""
        return {q for k in self.around[v] for q in self.faces[k]} - {v}

    def is_border(self, v: int) -> bool:
        """Whether `v` lies on the open border."""
        return len(self.neighbours(v)) != len(self.around[v])

    def split(self, a: int, b: int) -> int:
        """Puts a vertex into the middle of edge (a, b)."""
        new = len(self.points)
        self.points.append((self.points[a] + self.points[b]) / 2)
        self.around.append(set())
        for k in self.around[a] & self.around[b]:
            face = self._remove(k)
            self._add(tuple(new if v == a else v for v in face))
            self._add(tuple(new if v == b else v for v in face))
        return new

    def collapse(self, a: int, b: int) -> bool:
        """Merges edge (a, b) into one vertex `a`, if the mesh stays a sane manifold."""
        shared = self.around[a] & self.around[b]
        na, nb = self.neighbours(a), self.neighbours(b)
        border_a, border_b = self.is_border(a), self.is_border(b)
        if len(na & nb) != len(shared) or (border_a and border_b and len(shared) != 1):
            return False
        if any(len(self.around[v]) <= 3 for v in na & nb) or len(na | nb) < 6:
            return False
        target = (self.points[a] + self.points[b]) / 2
        if border_a != border_b:
            target = self.points[a] if border_a else self.points[b]
        rest = (self.around[a] | self.around[b]) - shared
        if any(self._turns(k, (a, b), target) for k in rest):
            return False
        for k in shared:
            self._remove(k)
        for k in list(self.around[b]):
            self._add(tuple(a if v == b else v for v in self._remove(k)))
        self.points[a] = target
        return True

    def flip(self, a: int, b: int) -> bool:
        """Turns edge (a, b) if that evens out the valences and folds nothing."""
        shared = self.around[a] & self.around[b]
        if len(shared) != 2:
            return False
        k, m = shared
        if _follows(self.faces[m], a, b):
            k, m = m, k
        c, d = _third(self.faces[k], a, b), _third(self.faces[m], a, b)
        if d in self.neighbours(c):
            return False
        goal = [4 if self.is_border(v) else 6 for v in (a, b, c, d)]
        now = [len(self.neighbours(v)) for v in (a, b, c, d)]
        change = np.array([-1, -1, 1, 1])
        before = ((np.array(now) - goal) ** 2).sum()
        if ((np.array(now) + change - goal) ** 2).sum() >= before:
            return False
        pa, pb, pc, pd = (self.points[v] for v in (a, b, c, d))
        old = _normal(pa, pb, pc) + _normal(pb, pa, pd)
        if min(old @ _normal(pc, pa, pd), old @ _normal(pd, pb, pc)) <= 0.2 * (old @ old) / 4:
            return False
        self._remove(k)
        self._remove(m)
        self._add((c, a, d))
        self._add((d, b, c))
        return True

    def _turns(self, k, moved, target):
        face = self.faces[k]
        before = _normal(*(self.points[v] for v in face))
        after = _normal(*(target if v in moved else self.points[v] for v in face))
        size = np.sqrt((before @ before) * (after @ after))
        return before @ after < 0.3 * size or (after @ after) < 1e-16

    def _add(self, face):
        self.faces[self._next] = face
        for v in face:
            self.around[v].add(self._next)
        self._next += 1

    def _remove(self, k):
        face = self.faces.pop(k)
        for v in face:
            self.around[v].discard(k)
        return face


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
        raise ValueError(f"The half mesh gives {num_full + excess} vertices, wanted {num_full}.")
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
    """Moves vertices to the mean of their neighbours, within the tangent plane."""
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


def _normal(p, q, r):
    return np.array([
        (q[1] - p[1]) * (r[2] - p[2]) - (q[2] - p[2]) * (r[1] - p[1]),
        (q[2] - p[2]) * (r[0] - p[0]) - (q[0] - p[0]) * (r[2] - p[2]),
        (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]),
    ])  # fmt: skip


def _third(face, a, b):
    return next(v for v in face if v != a and v != b)


def _follows(face, a, b):
    return (face[0], face[1]) == (a, b) or (face[1], face[2]) == (a, b) or (
        face[2], face[0]) == (a, b)  # fmt: skip
