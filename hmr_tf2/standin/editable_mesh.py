"""A triangle mesh that can be edited one edge at a time: split, collapse, flip."""

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
        """Vertices float64 [V, 3] and faces int64 [F, 3] without the removed ones."""
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
        """Merges edge (a, b) into one vertex `a`, if the mesh remains a sound manifold."""
        shared = self.around[a] & self.around[b]
        na, nb = self.neighbours(a), self.neighbours(b)
        border_a, border_b = self.is_border(a), self.is_border(b)
        # The link condition: a common neighbour outside the shared faces would end up on an edge
        # of three or more faces, as would a bridge between two places of the border.
        if len(na & nb) != len(shared) or (border_a and border_b and len(shared) != 1):
            return False
        # A vertex of three faces would keep two, which lie upon each other.
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
        """Flips edge (a, b) if that evens out the valences and folds nothing over."""
        shared = self.around[a] & self.around[b]
        if len(shared) != 2:
            return False
        k, m = shared
        if _follows(self.faces[m], a, b):
            k, m = m, k
        c, d = _third(self.faces[k], a, b), _third(self.faces[m], a, b)
        if d in self.neighbours(c):
            return False
        # The valences of a regular triangle mesh: six inside, four on a straight border.
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


def _normal(p, q, r):
    return np.array(
        [
            (q[1] - p[1]) * (r[2] - p[2]) - (q[2] - p[2]) * (r[1] - p[1]),
            (q[2] - p[2]) * (r[0] - p[0]) - (q[0] - p[0]) * (r[2] - p[2]),
            (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]),
        ]
    )


def _third(face, a, b):
    return next(v for v in face if v != a and v != b)


def _follows(face, a, b):
    return (
        (face[0], face[1]) == (a, b)
        or (face[1], face[2]) == (a, b)
        or (face[2], face[0]) == (a, b)
    )
