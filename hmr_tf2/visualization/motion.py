"""A person's motion in the form that animation files need: bones, rotations, a path in metres."""

from typing import NamedTuple

import numpy as np

from hmr_tf2.visualization.mesh_files import TO_Y_UP


class Motion(NamedTuple):
    """T moments of one body of fixed shape; x right, y up, z towards the eye, in metres.

    `times` float [T] are in seconds, in even steps; `rotations` float [T, 24, 3, 3] are those of
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
        times: float [T], seconds.
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
