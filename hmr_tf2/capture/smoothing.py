"""The one-euro filter: smooth where a motion is slow, without lag where it is fast."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_tf2.capture.bodies import Sighting
from hmr_tf2.crops import PictureCamera
from hmr_tf2.theta import split_theta

# In what stands still, changes faster than this are taken for noise.
MIN_CUTOFF_HZ = 1.0
# How much the cut-off rises with speed: Hz for one unit (radian, metre) per second.
SPEED_TO_CUTOFF = 1.5
# The speed itself is low-passed at this, because differences of frames amplify noise.
SPEED_CUTOFF_HZ = 1.0


def one_euro(
    values: np.ndarray,
    fps: float,
    min_cutoff: float = MIN_CUTOFF_HZ,
    speed_to_cutoff: float = SPEED_TO_CUTOFF,
) -> np.ndarray:
    """Filters each number of a row on its own.

    Source: Casiez, Roussel, Vogel, "1 euro filter" (CHI 2012), algorithm 1.

    Args:
        values: float [T, ...], in the order of time.
        fps: rows per second.
        min_cutoff: cut-off in Hz for what stands still.
        speed_to_cutoff: what a speed of one unit per second adds to the cut-off, in Hz.

    Returns:
        float64 [T, ...].
    """
    values = np.asarray(values, np.float64)
    smooth = values.copy()
    speed = np.zeros(values.shape[1:])
    speed_share = _share(SPEED_CUTOFF_HZ, fps)
    for t in range(1, len(values)):
        speed += speed_share * ((values[t] - values[t - 1]) * fps - speed)
        share = _share(min_cutoff + speed_to_cutoff * np.abs(speed), fps)
        smooth[t] = smooth[t - 1] + share * (values[t] - smooth[t - 1])
    return smooth


def smooth_track(track: Sequence[Sighting], fps: float) -> list[Sighting]:
    """Filters the joint rotations, shape and camera of one person over consecutive frames.

    Rotations are filtered as matrices, which unlike axis-angle vectors do not jump at half a turn,
    and are then made orthogonal again. The camera is filtered as the body's place and size in the
    picture: `[s, tx, ty]` also changes with the crop.
    """
    theta = np.stack([sighting.theta for sighting in track]).astype(np.float64)
    cams, poses, shapes = split_theta(theta)  # views, so that writing to them changes theta
    turns = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix()
    turns = _nearest_rotations(one_euro(turns.reshape(len(track), -1, 3, 3), fps))
    poses[:] = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_rotvec().reshape(poses.shape)
    shapes[:] = one_euro(shapes, fps)
    for row, camera in enumerate(_smooth_cameras([s.camera for s in track], fps)):
        cams[row] = track[row].place.cam_of(camera)
    return [
        sighting._replace(theta=row)
        for sighting, row in zip(track, theta.astype(np.float32), strict=True)
    ]


def _smooth_cameras(cameras, fps):
    scale = np.stack([camera.scale for camera in cameras])
    # The pixel onto which the body's origin falls. Both are divided by the usual scale, in pixels
    # per metre, so that their speeds are in metres per second, as the filter expects.
    origin = scale * np.stack([camera.translation for camera in cameras])
    unit = np.median(np.abs(scale))
    scale, origin = (unit * one_euro(values / unit, fps) for values in (scale, origin))
    return [PictureCamera(s, o / s) for s, o in zip(scale, origin, strict=True)]


def _share(cutoff, fps):
    """The weight of a new value in a low pass of `cutoff` Hz (alpha in the paper)."""
    return 1.0 / (1.0 + fps / (2 * np.pi * cutoff))


def _nearest_rotations(matrices):
    """The nearest in the sense of least squares, by a singular value decomposition."""
    left, _, right = np.linalg.svd(matrices)
    # Without this the product could be a reflection, whose determinant is -1.
    flip = np.linalg.det(left @ right)
    left[..., -1] *= flip[..., np.newaxis]
    return left @ right
