"""The stand-in's skeleton: SMPL's 24 joints, their tree, and where they rest (T-pose, metres).

x points to the body's left, y up, z to the front; the pelvis is the origin.
"""

import numpy as np

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
_ORDER = (
    ("pelvis", None), ("left_hip", "pelvis"), ("right_hip", "pelvis"), ("spine1", "pelvis"),
    ("left_knee", "left_hip"), ("right_knee", "right_hip"), ("spine2", "spine1"),
    ("left_ankle", "left_knee"), ("right_ankle", "right_knee"), ("spine3", "spine2"),
    ("left_foot", "left_ankle"), ("right_foot", "right_ankle"), ("neck", "spine3"),
    ("left_collar", "spine3"), ("right_collar", "spine3"), ("head", "neck"),
    ("left_shoulder", "left_collar"), ("right_shoulder", "right_collar"),
    ("left_elbow", "left_shoulder"), ("right_elbow", "right_shoulder"),
    ("left_wrist", "left_elbow"), ("right_wrist", "right_elbow"),
    ("left_hand", "left_wrist"), ("right_hand", "right_wrist"),
)  # fmt: skip

NAMES = tuple(name for name, _ in _ORDER)
PARENTS = tuple(-1 if parent is None else NAMES.index(parent) for _, parent in _ORDER)

KEYPOINT_NAMES = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    "neck", "head_top", "nose", "left_eye", "right_eye", "left_ear", "right_ear",
)  # fmt: skip

_FACE = {
    "neck": (0.0, 0.495, -0.02),
    "head_top": (0.0, 0.783, -0.005),
    "nose": (0.0, 0.648, 0.122),
    "left_eye": (0.032, 0.680, 0.092),
    "left_ear": (0.078, 0.666, -0.005),
}


def index(name: str) -> int:
    """The row of the SMPL joint `name`."""
    return NAMES.index(name)


def swapped(names: tuple[str, ...]) -> np.ndarray:
    """The permutation of `names` that exchanges left and right."""

    def other(name: str) -> str:
        if name.startswith("left_"):
            return "right_" + name[5:]
        return "left_" + name[6:] if name.startswith("right_") else name

    return np.array([names.index(other(name)) for name in names])


def _position(name: str, table: dict) -> np.ndarray:
    side, _, part = name.partition("_")
    if name in table:
        return np.array(table[name])
    if side == "left":
        return np.array(table.get(part, table.get(name)))
    left = np.array(table.get(part) if part in table else table["left_" + part])
    return left * [-1.0, 1.0, 1.0]


def rest_joints() -> np.ndarray:
    """float64 [24, 3]: the joints of the mean shape in the T-pose, metres."""
    return np.stack([_position(name, {**_CENTRE, **_LEFT}) for name in NAMES])


def rest_keypoints() -> np.ndarray:
    """float64 [19, 3]: the LSP joints and the five face points of the mean shape, metres."""
    table = {**_CENTRE, **_LEFT, **_FACE}
    return np.stack([_position(name, table) for name in KEYPOINT_NAMES])


def kintree_table() -> np.ndarray:
    """int64 [2, 24]: parent and joint, as SMPL files store the tree."""
    return np.array([[ROOT_PARENT, *PARENTS[1:]], range(24)], dtype=np.int64)
