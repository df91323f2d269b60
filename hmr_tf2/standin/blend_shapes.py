"""Blend shapes of the stand-in: ten ways in which people differ, and pose correctives."""

import numpy as np

from hmr_tf2.standin import skeleton
from hmr_tf2.standin.skinning_weights import diffuse

SHAPE_NAMES = (
    "height",
    "weight",
    "leg length",
    "arm length",
    "shoulder width",
    "belly",
    "muscle",
    "head size",
    "hip width",
    "trunk length",
)


def shape_directions(vertices, normals, faces, weights) -> np.ndarray:
    """float64 [V, 3, 10]: metres for one standard deviation of each of `SHAPE_NAMES`."""
    part = _parts(weights)
    x, y, z = vertices.T
    zero = np.zeros_like(x)
    leg, arm, head = part["leg"], part["arm"], part["head"]
    trunk = 1 - leg - arm - head
    side = np.sign(x)

    def along(normal_offset):
        return normals * diffuse(normal_offset[:, None], vertices, faces, np.full(len(x), 0.015))

    soft = 1 - np.maximum(head, part["end"])
    waist = np.exp(-(((y - 0.10) / 0.16) ** 2)) * trunk
    front = 0.5 + 0.5 * np.tanh((z - 0.02) / 0.05)
    hips = np.exp(-(((y + 0.07) / 0.13) ** 2)) * (1 - arm)
    chest = np.exp(-(((y - 0.36) / 0.09) ** 2)) * (1 - head)
    away = np.abs(x) - 0.17
    directions = [
        0.040 * vertices,
        along(soft * (0.007 + 0.008 * waist + 0.005 * hips) + 0.003 * head),
        np.stack([zero, leg * 0.045 * np.minimum(y + 0.10, 0), zero], 1)
        + [0, 0.012, 0] * (1 - leg)[:, None],
        np.stack([side * 0.045 * np.maximum(away, 0), zero, zero], 1) * arm[:, None],
        np.stack(
            [
                side * 0.013 * (arm + chest * np.clip(np.abs(x) / 0.15, 0, 1) * (1 - arm)),
                zero,
                zero,
            ],
            1,
        ),
        along(0.030 * waist * front + 0.004 * waist),
        along(0.006 * part["muscle"] + 0.006 * chest * (1 - arm) - 0.004 * waist),
        head[:, None] * 0.05 * (vertices - [0, 0.56, 0.0]),
        along(0.011 * hips) + 0.05 * hips[:, None] * vertices * [1, 0, 0],
        np.stack([zero, 0.03 * np.clip(y, 0, 0.5), zero], 1),
    ]
    return np.stack(directions, axis=2)


def pose_directions(vertices, joints, weights) -> np.ndarray:
    """float64 [V, 3, 207]: keep the volume that linear blend skinning loses at bent joints.

    Blending a turned and an unturned copy of a point with weight s shrinks it towards the joint,
    across the axis, to |1 - s + s exp(i angle)|. The corrective is linear in R - I: it scales the
    point across the axis by c(s) (1 - cos angle), with c right at 100 degrees.
    """
    moved = _weight_below(weights)
    directions = np.zeros((len(vertices), 3, 23, 3, 3))
    missing = 1 - np.cos(np.deg2rad(100))
    for joint in range(1, len(skeleton.NAMES)):
        s = moved[:, joint]
        shrunk = np.sqrt(np.maximum(1 - 2 * s * (1 - s) * missing, 0.05))
        gain = (1 / shrunk - 1) / missing
        arm = (vertices - joints[joint]) * gain[:, None]
        # -(sym(R) - I) p, spread over the nine entries of R - I.
        for a in range(3):
            directions[:, a, joint - 1, a, :] -= arm / 2
            directions[:, a, joint - 1, :, a] -= arm / 2
    return directions.reshape(len(vertices), 3, 207)


def _weight_below(weights):
    """float64 [V, 24]: how much of a vertex turns when a joint turns: it and all below it."""
    total = weights.copy()
    for joint in range(len(skeleton.NAMES) - 1, 0, -1):
        total[:, skeleton.PARENTS[joint]] += total[:, joint]
    return total


def _parts(weights):
    """float64 [V] each, in [0, 1]: how far a vertex belongs to a part of the body."""

    def of(*endings):
        return weights[:, [k for k, n in enumerate(skeleton.NAMES) if n.endswith(endings)]].sum(1)

    return {
        "leg": of("hip", "knee", "ankle", "foot"),
        "arm": of("shoulder", "elbow", "wrist", "hand"),
        "head": of("head") + 0.5 * of("neck"),
        "end": of("wrist", "hand", "ankle", "foot"),
        "muscle": of("shoulder", "elbow", "hip", "knee"),
    }
