"""A person's motion in the form that animation files need: bones, rotations, a path in metres."""

import os
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_tf2.visualization.mesh_files import TO_Y_UP

# How far times may be from even steps, as a share of a step and of the time since the first.
_ROUNDING = 1e-6
# Matroska and others round time stamps to milliseconds, the last one too.
_STAMP_SECONDS = 1e-3
# Moments that are interpolated at once, so that memory does not grow with the length.
_BLOCK = 512


class Motion(NamedTuple):
    """T moments of one body of fixed shape; x right, y up, z towards the eye, in metres.

    `times` float [T] are in seconds, ascending; `rotations` float [T, 24, 3, 3] are those of
    each joint relative to its parent; `root` float [T, 3] is where the root joint is; `joints`
    [24, 3] and `vertices` [V, 3] are those of the shaped body in its rest pose.
    """

    times: np.ndarray
    rotations: np.ndarray
    root: np.ndarray
    joints: np.ndarray
    vertices: np.ndarray


def motion_of(times, rotations, translations, joints, vertices) -> Motion:
    """The motion of a body that a camera saw.

    Args:
        times: float [T], seconds, ascending.
        rotations: float [T, 24, 3, 3], the root's in camera axes (x right, y down, z away).
        translations: float [T, 3], of the body in camera axes, metres.
        joints: float [24, 3], the shaped body at rest.
        vertices: float [V, 3], the shaped body at rest.
    """
    rotations = np.array(rotations, np.float64)
    # Only the root's rotation is relative to the camera; the body's rest pose has y up already.
    rotations[:, 0] = TO_Y_UP[:, np.newaxis] * rotations[:, 0]
    # SMPL turns the body about its root joint, which so stays where it is in the rest pose.
    root = TO_Y_UP * (np.asarray(joints)[0] + translations)
    return Motion(np.asarray(times, np.float64), rotations, root, joints, vertices)


def check_finite(motion: Motion, path: str | os.PathLike) -> None:
    """Raises ValueError, with the file that is to be written, if a number is not finite."""
    if not all(np.isfinite(numbers).all() for numbers in motion):
        raise ValueError(f"{os.fspath(path)}: the motion has numbers that are not finite.")


def resampled(motion: Motion, fps: float) -> Motion:
    """The motion in even steps of 1 / `fps` seconds from its first time to its last.

    Between two moments a joint turns the shortest way at an even speed, and the root goes
    straight. A motion that has these steps already is returned as it is.
    """
    times = motion.times
    # Time that does not fill a step is cut off at the end, but for the rounding of time stamps.
    slack = min(_STAMP_SECONDS, 0.25 / fps)
    steps = np.arange(int((times[-1] - times[0] + slack) * fps) + 1) / fps
    if len(steps) == len(times) and np.allclose(
        times - times[0], steps, rtol=_ROUNDING, atol=_ROUNDING / fps
    ):
        return motion
    even = times[0] + steps
    rotations = np.empty((len(even), *motion.rotations.shape[1:]))
    root = np.empty((len(even), 3))
    for start in range(0, len(even), _BLOCK):
        block = slice(start, start + _BLOCK)
        rotations[block], root[block] = _between(motion, even[block])
    return motion._replace(times=even, rotations=rotations, root=root)


def _between(motion, times):
    """Rotations [N, 24, 3, 3] and places of the root [N, 3] at `times` [N], seconds."""
    before = np.searchsorted(motion.times, times, side="right") - 1
    before = before.clip(0, max(len(motion.times) - 2, 0))
    after = np.minimum(before + 1, len(motion.times) - 1)
    span = motion.times[after] - motion.times[before]
    # Two moments may have the same time; the later one holds from then on.
    share = np.divide(times - motion.times[before], span, np.ones_like(span), where=span > 0)
    share = share.clip(0, 1)[:, np.newaxis]
    start, end = motion.rotations[before], motion.rotations[after]
    turn = Rotation.from_matrix((start.swapaxes(-1, -2) @ end).reshape(-1, 3, 3)).as_rotvec()
    turn = turn.reshape(*start.shape[:2], 3) * share[..., np.newaxis]
    turn = Rotation.from_rotvec(turn.reshape(-1, 3)).as_matrix().reshape(start.shape)
    root = motion.root[before] + share * (motion.root[after] - motion.root[before])
    return start @ turn, root
