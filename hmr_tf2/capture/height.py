"""People of known height: the body gets that height, and stays where it is in the picture.

A picture shows how large a person looks, not how large and how far away they are.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hmr_tf2.capture.bodies import rows_of
from hmr_tf2.capture.sighting_log import SightingLog, chunks_of
from hmr_tf2.predictor import Predictor
from hmr_tf2.smpl.rig import Rig
from hmr_tf2.theta import split_theta

# People are no smaller and no taller.
LOWEST_M, HIGHEST_M = 0.3, 2.8
TOLERANCE_M = 1e-6
# Steps aim at this, so that what is left after rounding to float32 is within TOLERANCE_M.
_AIM_M = 1e-8
_MAX_STEPS = 500
# Bodies that are shaped at once, so that memory does not grow with their number.
_BLOCK = 256


class KnownHeights(NamedTuple):
    """Heights in metres: one for everybody, or one for each person by number; or none."""

    metres: Sequence[float] = ()

    def of(self, person: int) -> float | None:
        """The height of a person, None if it is not known."""
        if len(self.metres) == 1:
            return self.metres[0]
        return self.metres[person] if person < len(self.metres) else None


def parse_heights(text: str) -> KnownHeights:
    """Heights from '1.8', or from '1.8;1.65' for persons 0 and 1.

    Raises:
        ValueError: the text is anything else, or a height is no person's.
    """
    try:
        metres = [float(part) for part in text.split(";")]
    except ValueError:
        metres = [np.nan]
    if not all(LOWEST_M <= height <= HIGHEST_M for height in metres):
        raise ValueError(
            f"--height_m={text} must be a height in metres from {LOWEST_M} to {HIGHEST_M}, or "
            "several separated by ';', in the order of the people's numbers."
        )
    return KnownHeights(metres)


def apply_to_log(known: KnownHeights, rig: Rig, log: SightingLog) -> None:
    """Gives everyone in a video the height that is known, in the log itself."""
    for person, rows in log.tracks():
        height_m = known.of(person)
        for part in chunks_of(rows) if height_m else ():
            sightings = log.read(part)
            thetas = with_height(np.stack([s.theta for s in sightings]), rig, height_m)
            log.change(part, [s._replace(theta=t) for s, t in zip(sightings, thetas, strict=True)])


def apply_to_seen(known: KnownHeights, predictor: Predictor, seen: list) -> list:
    """Gives everyone in a picture the height that is known.

    Args:
        known: the heights.
        predictor: makes the bodies anew.
        seen: people as (sighting, the network's output for it).
    """
    changed = []
    for sighting, row in seen:
        if height_m := known.of(sighting.person):
            theta = with_height(sighting.theta, predictor.rig, height_m)
            sighting = sighting._replace(theta=theta)
            (row,) = rows_of(predictor.bodies_of(theta[np.newaxis]))
        changed.append((sighting, row))
    return changed


def heights(beta: np.ndarray, rig: Rig) -> np.ndarray:
    """Heights float64 [...] of the bodies at rest, from sole to crown, for betas [..., 10]."""
    beta = np.asarray(beta, np.float64)
    flat = beta.reshape(-1, beta.shape[-1])
    found = [_extent(flat[k : k + _BLOCK], rig)[0] for k in range(0, len(flat), _BLOCK)]
    return np.concatenate([np.zeros(0), *found]).reshape(beta.shape[:-1])


def shape_with_height(beta: np.ndarray, rig: Rig, height_m: float) -> np.ndarray:
    """The shape near to `beta` whose body at rest is `height_m` tall.

    Each step goes along the gradient of the height, which is the shortest way. That gradient is
    constant as long as the same vertices are the highest and the lowest.

    Args:
        beta: float [..., 10].
        rig: the body.
        height_m: metres.

    Returns:
        float64 [..., 10]; where the height is right already, `beta` as it is.

    Raises:
        ValueError: no such shape was found.
    """
    return _with_height(beta, rig, height_m)[0]


def with_height(theta: np.ndarray, rig: Rig, height_m: float) -> np.ndarray:
    """Gives bodies a height, and moves them so that they are drawn where they were.

    A body that is f times as tall is f times as far away. The root joint stays on its pixel, and
    the others nearly so: a taller body of SMPL is not the same body enlarged.

    Args:
        theta: float [..., 85].
        rig: the body.
        height_m: how tall the bodies are at rest, metres.

    Returns:
        float32 [..., 85]; rows whose height is right already are as they were.

    Raises:
        ValueError: the body cannot have that height.
    """
    theta = np.asarray(theta)
    cam, pose, beta = split_theta(theta.astype(np.float64))
    new_beta, seen = _with_height(beta, rig, height_m)
    new_beta, factor = new_beta.astype(np.float32), height_m / seen[..., np.newaxis]
    # SMPL turns the body about its root joint, so that joint is drawn at s * (root + t).
    root, new_root = (
        rig.joints[0, :2] + np.asarray(shape, np.float64) @ rig.joint_dirs[:, 0, :2]
        for shape in (beta, new_beta)
    )
    new_cam = np.concatenate(
        [cam[..., :1] / factor, factor * (root + cam[..., 1:]) - new_root], axis=-1
    )
    is_right = (new_beta == beta.astype(np.float32)).all(axis=-1, keepdims=True)
    new = np.concatenate([np.where(is_right, cam, new_cam), pose, new_beta], axis=-1)
    return new.astype(np.float32)


def _with_height(beta, rig, height_m):
    """See `shape_with_height`; also the heights [...] of `beta`."""
    beta = np.array(beta, np.float64, order="C")
    flat = beta.reshape(-1, beta.shape[-1])  # a view, because `beta` is contiguous
    seen = np.empty(len(flat))
    for start in range(0, len(flat), _BLOCK):
        block = slice(start, start + _BLOCK)
        seen[block] = _stretch(flat[block], rig, height_m)
    return beta, seen.reshape(beta.shape[:-1])


def _stretch(beta, rig, height_m):
    """Changes `beta` [N, 10] in place until the bodies are `height_m` tall; heights before [N]."""
    seen, gradient = _extent(beta, rig)
    height, rows, tolerance = seen, np.arange(len(beta)), TOLERANCE_M
    for _ in range(_MAX_STEPS):
        is_other = ~(np.abs(height_m - height) <= tolerance)  # also where it is not a number
        rows, gradient = rows[is_other], gradient[is_other]
        if not len(rows):
            return seen
        steep = (gradient**2).sum(axis=-1)
        if not (steep > 0).all():
            break
        beta[rows] += ((height_m - height[is_other]) / steep)[:, np.newaxis] * gradient
        height, gradient = _extent(beta[rows], rig)
        tolerance = _AIM_M
    raise ValueError(
        f"--height_m={height_m:g}: no shape of this body is so tall, or the one seen, of "
        f"{seen[rows[0]]:.2f} m, is too far from it. Give the person's height in metres."
    )


def _extent(beta, rig):
    """Heights [N] of the bodies at rest, and their gradients [N, 10] with respect to `beta`."""
    rise = rig.vertex_dirs[..., 1].astype(np.float64)
    level = rig.vertices[:, 1].astype(np.float64) + beta @ rise
    top, bottom = level.argmax(axis=-1), level.argmin(axis=-1)
    rows = np.arange(len(beta))
    return level[rows, top] - level[rows, bottom], (rise[:, top] - rise[:, bottom]).T
