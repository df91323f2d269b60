"""A person's motion as AMASS has them (`*_poses.npz`), for retargeting and Blender add-ons.

Source: Mahmood, Ghorbani, Troje, Pons-Moll, Black, "AMASS" (ICCV 2019), whose files hold the
parameters of SMPL-H.
"""

import os

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_tf2.visualization.motion import Motion, check_finite, resampled
from tfrecords_tools.files import write_npz

# From x right, y up, z towards the eye to x right, y away from the eye, z up.
TO_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
# The root and the 21 joints that SMPL and SMPL-H share. SMPL's two last are one for each hand,
# where SMPL-H has fingers.
NUM_SHARED_JOINTS = 22
NUM_FINGER_JOINTS = 30
NUM_BETAS = 16
# Frames that are made at once, so that memory does not grow with the length.
_BLOCK = 512


def write_amass(path: str | os.PathLike, motion: Motion, betas: np.ndarray, fps: float) -> None:
    """Writes a motion with z up; it appears under its name when it is complete.

    A file of AMASS has no times, only a rate: a motion in other steps is resampled.

    Args:
        path: the npz file, which by AMASS's custom ends in `_poses.npz`.
        motion: the motion.
        betas: float [10], the shape that `motion` has.
        fps: frames per second.

    Raises:
        ValueError: a number is not finite.
        NotWrittenError: the file cannot be written.
    """
    check_finite(motion, path)
    motion = resampled(motion, fps)
    poses = np.zeros((len(motion.times), 3 * (NUM_SHARED_JOINTS + NUM_FINGER_JOINTS)))
    vectors = poses[:, : 3 * NUM_SHARED_JOINTS]
    for start in range(0, len(poses), _BLOCK):
        turns = motion.rotations[start : start + _BLOCK, :NUM_SHARED_JOINTS].copy()
        turns[:, 0] = TO_Z_UP @ turns[:, 0]
        rows = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_rotvec()
        vectors[start : start + _BLOCK] = rows.reshape(len(turns), -1)
    # SMPL turns the body about its root joint, and then adds `trans`.
    trans = motion.root @ TO_Z_UP.T - motion.joints[0]
    write_npz(
        path,
        poses=poses,
        root_orient=vectors[:, :3],
        pose_body=vectors[:, 3:],
        betas=np.pad(np.asarray(betas, np.float64), (0, NUM_BETAS - len(betas))),
        trans=trans,
        gender="neutral",
        # The name in AMASS's `*_poses.npz`, and that in its newer `*_stageii.npz`.
        mocap_framerate=float(fps),
        mocap_frame_rate=float(fps),
        up_axis="z",
    )
