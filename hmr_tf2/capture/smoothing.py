"""The one-euro filter: smooth where a motion is slow, without lag where it is fast."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_tf2.capture.bodies import Sighting
from hmr_tf2.capture.sighting_log import SightingLog, chunks_of
from hmr_tf2.crops import PictureCamera
from hmr_tf2.theta import split_theta

# In what stands still, changes faster than this are taken for noise.
MIN_CUTOFF_HZ = 1.0
# How much the cut-off rises with speed: Hz for one unit (radian, metre) per second.
SPEED_TO_CUTOFF = 1.5
# The speed itself is low-passed at this, because differences of frames amplify noise.
SPEED_CUTOFF_HZ = 1.0


class OneEuro:
    """The filter for a row of arrays of one shape, which can come in pieces.

    Source: Casiez, Roussel, Vogel, "1 euro filter" (CHI 2012), algorithm 1.

    Args:
        min_cutoff: cut-off in Hz for what stands still.
        speed_to_cutoff: what a speed of one unit per second adds to the cut-off, in Hz.
    """

    def __init__(
        self, min_cutoff: float = MIN_CUTOFF_HZ, speed_to_cutoff: float = SPEED_TO_CUTOFF
    ):
        self._min_cutoff = min_cutoff
        self._speed_to_cutoff = speed_to_cutoff
        self._last: tuple | None = None

    def __call__(self, values: np.ndarray, rates: np.ndarray) -> np.ndarray:
        """Filters each number of a piece on its own.

        Args:
            values: float [T, ...], in the order of time.
            rates: float [T], one over the seconds since the row before; the very first is unused.

        Returns:
            float64 [T, ...].
        """
        values = np.asarray(values, np.float64)
        smooth = values.copy()
        for t, (value, rate) in enumerate(zip(values, rates, strict=True)):
            if self._last is not None:
                before, smooth_before, speed = self._last
                speed = speed + _share(SPEED_CUTOFF_HZ, rate) * ((value - before) * rate - speed)
                share = _share(self._min_cutoff + self._speed_to_cutoff * np.abs(speed), rate)
                smooth[t] = smooth_before + share * (value - smooth_before)
            else:
                speed = np.zeros(values.shape[1:])
            self._last = value, smooth[t], speed
        return smooth


def one_euro(
    values: np.ndarray,
    fps: float | np.ndarray,
    min_cutoff: float = MIN_CUTOFF_HZ,
    speed_to_cutoff: float = SPEED_TO_CUTOFF,
) -> np.ndarray:
    """Filters a whole row, float [T, ...], of `fps` arrays per second; see `OneEuro`."""
    return OneEuro(min_cutoff, speed_to_cutoff)(values, np.broadcast_to(fps, len(values)))


class TrackFilter:
    """Filters the joint rotations, shape and camera of one person, piece by piece.

    Rotations are filtered as matrices, which unlike axis-angle vectors do not jump at half a turn,
    and are then made orthogonal again. The camera is filtered as the body's place and size in the
    picture: `[s, tx, ty]` also changes with the crop.

    Args:
        pixels_per_metre: the person's usual size. The camera is divided by it, so that its speeds
            are in metres per second, as the filter expects.
    """

    def __init__(self, pixels_per_metre: float):
        self._unit = pixels_per_metre
        self._turns, self._shapes, self._scale, self._origin = (OneEuro() for _ in range(4))

    def __call__(self, track: Sequence[Sighting], rates: np.ndarray) -> list[Sighting]:
        """Filters the next sightings; for `rates` see `OneEuro`."""
        theta = np.stack([sighting.theta for sighting in track]).astype(np.float64)
        cams, poses, shapes = split_theta(theta)  # views, so that writing to them changes theta
        turns = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix()
        turns = _nearest_rotations(self._turns(turns.reshape(len(track), -1, 3, 3), rates))
        poses[:] = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_rotvec().reshape(poses.shape)
        shapes[:] = self._shapes(shapes, rates)
        for row, camera in enumerate(self._cameras([s.camera for s in track], rates)):
            cams[row] = track[row].place.cam_of(camera)
        return [
            sighting._replace(theta=row)
            for sighting, row in zip(track, theta.astype(np.float32), strict=True)
        ]

    def _cameras(self, cameras, rates):
        scale = np.stack([camera.scale for camera in cameras])
        # The pixel onto which the body's origin falls.
        origin = scale * np.stack([camera.translation for camera in cameras])
        scale = self._unit * self._scale(scale / self._unit, rates)
        origin = self._unit * self._origin(origin / self._unit, rates)
        return [PictureCamera(s, o / s) for s, o in zip(scale, origin, strict=True)]


def smooth_log(log: SightingLog) -> None:
    """Filters everyone in a video, in the log itself, at the times of its frames."""
    times = log.times
    for _, rows in log.tracks():
        at = times[log.frames_of(rows)]
        rates = 1 / np.diff(at, prepend=at[0] - 1)
        sizes = [np.abs(s.camera.scale) for part in chunks_of(rows) for s in log.read(part)]
        track_filter = TrackFilter(float(np.median(sizes)))
        for part, part_rates in zip(chunks_of(rows), chunks_of(rates), strict=True):
            log.change(part, track_filter(log.read(part), part_rates))


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
