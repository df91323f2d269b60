"""Skinning weights of the stand-in: the nearest bone, then heat that spreads over the surface."""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from hmr_tf2.standin import skeleton
from tfrecords_tools import joints

MAX_BONES = 4

# Every bone as (joint that moves it, end point, radius around it); it starts at the joint.
# A joint can own several. Radii keep the armpit with the trunk and the groin with the leg.
_LEFT_BONES = (
    ("collar", "shoulder", 0.045),
    ("shoulder", "elbow", 0.045),
    ("elbow", "wrist", 0.035),
    ("wrist", "hand", 0.03),
    ("hip", "knee", 0.07),
    ("knee", "ankle", 0.05),
    ("ankle", "foot", 0.035),
)
_CENTRE_BONES = (
    ("spine1", "spine2", 0.10),
    ("spine2", "spine3", 0.10),
    ("neck", "head", 0.062),
)
_FREE_BONES = (  # (joint, start, end, radius)
    ("pelvis", (-0.05, 0.0, -0.01), (0.05, 0.0, -0.01), 0.09),
    ("spine3", (0.0, 0.33, -0.01), (0.0, 0.44, -0.03), 0.10),
    ("head", (0.0, 0.64, 0.02), (0.0, 0.70, 0.0), 0.09),
    ("left_hand", (0.79, 0.43, -0.08), (0.79, 0.43, 0.0), 0.02),
    ("left_hand", (0.79, 0.43, -0.045), (0.87, 0.43, -0.045), 0.035),
    ("left_foot", (0.10, -0.93, 0.105), (0.125, -0.93, 0.16), 0.03),
)
# How far heat spreads (metres, about the standard deviation) near each joint.
_SPREAD = {
    "pelvis": 0.06,
    "spine1": 0.05,
    "spine2": 0.05,
    "spine3": 0.05,
    "neck": 0.028,
    "head": 0.022,
    "hip": 0.06,
    "knee": 0.028,
    "ankle": 0.018,
    "foot": 0.012,
    "collar": 0.035,
    "shoulder": 0.032,
    "elbow": 0.022,
    "wrist": 0.014,
    "hand": 0.012,
}


def skinning_weights(vertices: np.ndarray, faces: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """float64 [V, 24]: at most four joints per vertex, smooth over the mesh, rows sum to one."""
    owner = _nearest_bone(vertices)
    start = np.zeros((len(vertices), len(skeleton.NAMES)))
    start[np.arange(len(vertices)), owner] = 1.0
    spread = _spread(vertices)
    weights = diffuse(start, vertices, faces, spread)
    weights = (weights + weights[mirror][:, joints.SMPL.flipped]) / 2
    weakest_kept = np.sort(weights, axis=1)[:, [-MAX_BONES - 1]]
    # Subtracting the first weight that is dropped lets the others reach zero without a jump.
    weights = np.maximum(weights - np.maximum(weakest_kept, 2e-3), 0.0)
    return weights / weights.sum(1, keepdims=True)


def diffuse(values, vertices, faces, spread) -> np.ndarray:
    """Spreads `values` [V, C] over the surface by about `spread` [V] metres, as heat spreads."""
    i, j = faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel()
    corner = vertices[faces]
    # Cotangent of the angle opposite each edge (0,1), (1,2), (2,0).
    u, v = corner[:, [0, 1, 2]] - corner[:, [2, 0, 1]], corner[:, [1, 2, 0]] - corner[:, [2, 0, 1]]
    area = np.linalg.norm(np.cross(u, v), axis=2)
    # Clipped, because an obtuse angle would have a negative weight, and weights below zero follow.
    cotangent = np.clip((u * v).sum(2) / np.maximum(area, 1e-12), 0.05, 5.0).ravel() / 2
    # In a time t heat spreads by a standard deviation of sqrt(2 t).
    conduct = cotangent * ((spread[i] + spread[j]) / 2) ** 2 / 2
    n = len(vertices)
    flow = sp.coo_matrix((conduct, (i, j)), shape=(n, n))
    flow = (flow + flow.T).tocsr()
    mass = np.zeros(n)
    # Each corner has a third of its triangles; `area` is that of the parallelogram, twice as much.
    np.add.at(mass, faces.ravel(), np.repeat(area[:, 0] / 6, 3))
    system = sp.diags(mass + np.asarray(flow.sum(1)).ravel()) - flow
    solver = splu(system.tocsc())
    for _ in range(2):  # two steps fall off like a bell rather than a peak
        values = solver.solve(mass[:, None] * values)
    return values


def bones():
    """(joint number, start [3], end [3], radius) of every bone."""
    rest = skeleton.rest_joints()
    table = []
    for name, end, radius in _CENTRE_BONES:
        table.append((name, rest[skeleton.index(name)], rest[skeleton.index(end)], radius))
    for side in ("left_", "right_"):
        for name, end, radius in _LEFT_BONES:
            a, b = skeleton.index(side + name), skeleton.index(side + end)
            table.append((side + name, rest[a], rest[b], radius))
    for name, start, end, radius in _FREE_BONES:
        table.append((name, np.array(start), np.array(end), radius))
        if name.startswith("left_"):
            flip = np.array([-1.0, 1.0, 1.0])
            table.append(("right_" + name[5:], start * flip, end * flip, radius))
    return [(skeleton.index(name), a, b, r) for name, a, b, r in table]


def _nearest_bone(vertices):
    table = bones()
    distance = np.stack([_segment_distance(vertices, a, b) - r for _, a, b, r in table])
    return np.array([joint for joint, *_ in table])[distance.argmin(0)]


def _segment_distance(points, a, b):
    axis = b - a
    t = np.clip((points - a) @ axis / (axis @ axis), 0, 1)
    return np.linalg.norm(points - a - t[:, None] * axis, axis=1)


def _spread(vertices):
    rest = skeleton.rest_joints()
    width = np.array([_SPREAD[n.split("_")[-1]] for n in skeleton.NAMES])
    closeness = np.exp(-(np.linalg.norm(vertices[:, None] - rest, axis=2) ** 2) / 0.1**2)
    return closeness @ width / closeness.sum(1)
