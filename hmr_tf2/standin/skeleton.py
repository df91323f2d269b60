"""The stand-in's skeleton: SMPL's 24 joints, their tree, and where they rest (T-pose, metres).

x points to the body's left, y up, z to the front; the pelvis is the origin.
"""

import numpy as np

from tfrecords_tools import joints

ROOT_PARENT = 4294967295  # SMPL stores -1 as an unsigned 32-bit number.

_CENTRE = {
    "pelvis": (0.0, 0.0, 0.0),
    "spine1": (0.0, 0.11, -0.015),
    "spine2": (0.0, 0.24, -0.01),
    "spine3": (0.0, 0.30, 0.0),
    "neck": (0.0, 0.505, -0.03),
    "head": (0.0, 0.60, 0.005),
}
_LEFT = {
    "hip": (0.088, -0.075, 0.0),
    "knee": (0.102, -0.475, 0.0),
    "ankle": (0.095, -0.875, -0.035),
    "foot": (0.112, -0.925, 0.085),
    "collar": (0.075, 0.425, -0.02),
    "shoulder": (0.18, 0.445, -0.03),
    "elbow": (0.435, 0.44, -0.045),
    "wrist": (0.685, 0.44, -0.045),
    "hand": (0.775, 0.435, -0.045),
}
_PARENT = {
    "hip": "pelvis",
    "knee": "hip",
    "ankle": "knee",
    "foot": "ankle",
    "spine1": "pelvis",
    "spine2": "spine1",
    "spine3": "spine2",
    "neck": "spine3",
    "head": "neck",
    "collar": "spine3",
    "shoulder": "collar",
    "elbow": "shoulder",
    "wrist": "elbow",
    "hand": "wrist",
}

_FACE = {
    "neck": (0.0, 0.495, -0.02),
    "head_top": (0.0, 0.783, -0.005),
    "nose": (0.0, 0.648, 0.122),
    "eye": (0.032, 0.680, 0.092),
    "ear": (0.078, 0.666, -0.005),
}


NAMES = joints.SMPL.names
index = joints.SMPL.index


def _parent(name: str) -> int:
    side, _, part = name.rpartition("_")
    parent = _PARENT.get(part)
    if parent is None:
        return -1
    sided = f"{side}_{parent}"
    return index(sided if sided in NAMES else parent)


PARENTS = tuple(_parent(name) for name in NAMES)


def _position(name: str, table: dict) -> np.ndarray:
    if name in table:
        return np.array(table[name])
    side, _, part = name.partition("_")
    return np.array(table[part]) * [1.0 if side == "left" else -1.0, 1.0, 1.0]


def rest_joints() -> np.ndarray:
    """float64 [24, 3]: the joints of the mean shape in the T-pose, metres."""
    return np.stack([_position(name, {**_CENTRE, **_LEFT}) for name in NAMES])


def rest_keypoints() -> np.ndarray:
    """float64 [19, 3]: the LSP joints and the five face points of the mean shape, metres."""
    table = {**_CENTRE, **_LEFT, **_FACE}
    return np.stack([_position(name, table) for name in joints.COCO_PLUS.names])


def kintree_table() -> np.ndarray:
    """int64 [2, 24]: parent and joint, as SMPL files store the tree."""
    return np.array([[ROOT_PARENT, *PARENTS[1:]], range(24)], dtype=np.int64)
