"""Joint angles over time, their limits, and the axis-angle poses that they make.

Angles are Euler angles R = Rx Ry Rz in radians, for the left side; the right side mirrors them.
With the T-pose as zero: a hip swings forward with -x and out with +z, a knee bends with +x, an
arm is lowered by a shoulder's -z and then swung by x (forward -x), an elbow bends with -y.
"""

import functools

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_tf2.standin import skeleton

_DEGREES = {  # low and high of x, y, z
    "hip": ((-120, 30), (-40, 40), (-25, 50)),
    "knee": ((0, 145), (-4, 4), (-4, 4)),
    "ankle": ((-25, 45), (-15, 15), (-15, 15)),
    "foot": ((-30, 15), (-3, 3), (-3, 3)),
    "spine1": ((-15, 30), (-12, 12), (-12, 12)),
    "spine2": ((-10, 22), (-15, 15), (-10, 10)),
    "spine3": ((-10, 18), (-12, 12), (-8, 8)),
    "neck": ((-25, 30), (-30, 30), (-18, 18)),
    "head": ((-20, 25), (-35, 35), (-14, 14)),
    "collar": ((-6, 6), (-18, 14), (-12, 28)),
    "shoulder": ((-160, 55), (-110, 25), (-88, 70)),
    "elbow": ((-8, 8), (-145, 0), (-4, 4)),
    "wrist": ((-70, 70), (-18, 18), (-50, 50)),
    "hand": ((-6, 6), (-6, 6), (-25, 15)),
}

_LEFT, _RIGHT = np.ones(3), np.array([1.0, -1.0, -1.0])


class Angles:
    """Joint angles of a clip, float64 [T, 24, 3], set joint by joint."""

    def __init__(self, times: np.ndarray):
        self.values = np.zeros((len(times), len(skeleton.NAMES), 3))

    def add(self, joint: str, x=0.0, y=0.0, z=0.0):
        """Adds to one joint ("left_knee") or to a pair of them ("knee": both, mirrored)."""
        if joint not in skeleton.NAMES:
            self.add(f"left_{joint}", x, y, z)
            self.add(f"right_{joint}", x, y, z)
            return
        turn = self.values[:, skeleton.index(joint)]
        for axis, angle in enumerate((x, y, z)):
            turn[:, axis] += angle * mirrored(joint)[axis]

    def limited(self) -> np.ndarray:
        """The angles, bent smoothly back into the limits."""
        low, high = limits()
        middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-12)
        q = (self.values - middle) / half
        # Untouched up to 80 % of the range, then towards its end along a tanh.
        over = np.maximum(np.abs(q) - 0.8, 0)
        bent = np.where(over > 0, np.sign(q) * (0.8 + 0.2 * np.tanh(over / 0.2)), q)
        result = middle + half * bent
        result[:, 0] = self.values[:, 0]
        return result


@functools.lru_cache(maxsize=1)
def limits() -> tuple[np.ndarray, np.ndarray]:
    """The lowest and highest angles of every joint, float64 [24, 3] (the root's are not used)."""
    low, high = np.zeros((24, 3)), np.zeros((24, 3))
    for j, name in enumerate(skeleton.NAMES):
        table = _DEGREES.get(name.split("_")[-1])
        if table:
            bounds = np.deg2rad(table) * mirrored(name)[:, None]
            low[j], high[j] = bounds.min(1), bounds.max(1)
    return low, high


def to_poses(angles: np.ndarray) -> np.ndarray:
    """float64 [T, 72] axis-angle poses of Euler angles [T, 24, 3]; the root turns by y first."""
    turns = Rotation.from_euler("XYZ", angles.reshape(-1, 3)).as_rotvec()
    turns = turns.reshape(len(angles), 24, 3)
    root = Rotation.from_euler("YXZ", angles[:, 0, [1, 0, 2]]).as_rotvec()
    turns[:, 0] = continuous(root)
    return turns.reshape(len(angles), 72)


def continuous(turns: np.ndarray) -> np.ndarray:
    """Axis-angle vectors [T, 3] without jumps at half a turn: the nearer of two equal vectors."""
    turns = turns.copy()
    for t in range(1, len(turns)):
        angle = np.linalg.norm(turns[t])
        other = turns[t] * (1 - 2 * np.pi / max(angle, 1e-9))
        before = turns[t - 1]
        if np.linalg.norm(other - before) < np.linalg.norm(turns[t] - before):
            turns[t] = other
    return turns


def mirrored(joint: str) -> np.ndarray:
    """float64 [3]: the signs that turn the left side's angles into those of `joint`."""
    return _RIGHT if joint.startswith("right_") else _LEFT


def wave(times: np.ndarray, rng: np.random.Generator, hertz: float) -> np.ndarray:
    """float64 [T]: smooth noise, about in [-1, 1], with frequencies around `hertz`."""
    rates, phases = hertz * rng.uniform(0.4, 1.6, (3, 1)), rng.random((3, 1))
    return np.sin(2 * np.pi * (rates * times + phases)).sum(0) * 0.5


def between(times, rng, hertz, low, high) -> np.ndarray:
    """float64 [T]: smooth noise from `low` to `high` (degrees in, radians out)."""
    return np.deg2rad((low + high) / 2 + (high - low) / 2 * np.tanh(1.3 * wave(times, rng, hertz)))
