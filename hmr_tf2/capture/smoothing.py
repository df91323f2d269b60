"""The one-euro filter: smooth where a motion is slow, without delay where it is fast."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_tf2.capture.bodies import Sighting
from hmr_tf2.crops import PictureCamera
from hmr_tf2.theta import split_theta

# Of what stands still, changes faster than this are taken for noise, Hz.
MIN_CUTOFF_HZ = 1.0
# How much the cut-off rises with speed: Hz for one unit (radian, metre) a second.
SPEED_TO_CUTOFF = 1.5
SPEED_CUTOFF_HZ = 1.0


def one_euro(
    values: np.ndarray,
    fps: float,
    min_cutoff: float = MIN_CUTOFF_HZ,
    speed_to_cutoff: float = SPEED_TO_CUTOFF,
) -> np.ndarray:
    """Filters each of a row's numbers on its own.

    Source: Casiez, Roussel, Vogel, "1 euro filter" (CHI 2012), algorithm 1.

    Args:
        values: float [T, ...], in time.
        fps: rows a second.
        min_cutoff: Hz, for what stands still.
        speed_to_cutoff: what a speed of one unit a second adds to the cut-off, Hz.

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
    """Filters turns, shape and camera of one person through consecutive frames.

    Turns are filtered as matrices, which know no jump at half a turn, and made orthogonal again;
    the camera as the body's place in the picture and its size there.
    """
    theta = np.stack([sighting.theta for sighting in track]).astype(np.float64)
    cams, poses, shapes = split_theta(theta)  # views
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
    # The pixel on which the body's origin falls. Both are filtered in bodies of the usual size,
    # so that a speed is one in metres a second.
    origin = scale * np.stack([camera.translation for camera in cameras])
    unit = np.median(np.abs(scale))
    scale, origin = (unit * one_euro(values / unit, fps) for values in (scale, origin))
    return [PictureCamera(s, o / s) for s, o in zip(scale, origin, strict=True)]


def _share(cutoff, fps):
    """The weight of a new value in a low pass of `cutoff` Hz."""
    return 1.0 / (1.0 + fps / (2 * np.pi * cutoff))


def _nearest_rotations(matrices):
    left, _, right = np.linalg.svd(matrices)
    flip = np.linalg.det(left @ right)
    left[..., -1] *= flip[..., np.newaxis]
    return left @ right
