"""Angles about z, x and y that follow a motion without jumps."""

import numpy as np

TURN = 2 * np.pi
# So near to straight up or down (radians) only the sum or the difference of the angles about z and
# y counts: what each of them is changes the rotation by less than this times a quarter turn, which
# is 1e-5 degrees.
LOCKED_RAD = 1e-7


def zxy_angles(rotations: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
    """Angles (z, x, y) with R = Rz Rx Ry, each triple the nearest to that of the moment before.

    The triple (z + pi, pi - x, y + pi) is the same rotation as (z, x, y), and so is one with whole
    turns added to any of the three. Where x is a quarter turn (gimbal lock), y can make up for any
    z. Of all these the nearest is taken, in the sense of least squares, so that the angles of a
    limb that turns on and on grow beyond half a turn instead of jumping back.

    Args:
        rotations: float [T, J, 3, 3].
        before: float [J, 3], the angles of the moment before the first; None means that there is
            none, and x of the first moment is within a quarter turn.

    Returns:
        float64 [T, J, 3], radians.
    """
    plain, lock = _plain_angles(np.asarray(rotations, np.float64))
    # Both triples of each rotation: [T, 2, J, 3].
    both = np.stack([plain, plain * [1, -1, 1] + np.pi], axis=1)
    angles, is_locked = np.empty_like(plain), lock.any(axis=-1)
    for t, triples in enumerate(both):
        if before is None:
            angles[t] = plain[t]
        elif is_locked[t]:
            angles[t] = _shared(_nearest(triples, before), lock[t], before)
        else:
            angles[t] = _nearest(triples, before)
        before = angles[t]
    return angles


def _plain_angles(rotations):
    """Angles [..., 3] with x within a quarter turn, and what is locked [...].

    The latter is 1 where only z + y counts, -1 where only z - y does, and 0 elsewhere.
    """
    # The second column is (-sin z cos x, cos z cos x, sin x).
    column = rotations[..., :, 1]
    cos_x = np.hypot(column[..., 0], column[..., 1])
    is_locked = cos_x < LOCKED_RAD
    z = np.where(
        is_locked,
        np.arctan2(rotations[..., 1, 0], rotations[..., 0, 0]),  # the one for which y is 0
        np.arctan2(-column[..., 0], column[..., 1]),
    )
    x = np.arctan2(column[..., 2], cos_x)
    # The rest, Rx' Rz' R, turns about y. Near the lock, where z means little, this y still makes
    # the product right; the last row of R alone would not.
    first = np.cos(z)[..., np.newaxis] * rotations[..., 0, :]
    first += np.sin(z)[..., np.newaxis] * rotations[..., 1, :]
    y = np.arctan2(first[..., 2], first[..., 0])
    return np.stack([z, x, y], axis=-1), np.where(is_locked, np.sign(x), 0.0)


def _nearest(triples, before):
    """The nearer to `before` [J, 3] of two `triples` [2, J, 3], whole turns being free: [J, 3]."""
    triples = triples - TURN * np.rint((triples - before) / TURN)
    away = triples - before
    near, far = np.einsum("kjc,kjc->kj", away, away)
    return np.where((far < near)[:, np.newaxis], triples[1], triples[0])


def _shared(angles, lock, before):
    """`angles` [J, 3], where z and y of locked joints share what `before` has to change by."""
    change = angles[:, 0] - before[:, 0] + lock * (angles[:, 2] - before[:, 2])
    change = (change - TURN * np.rint(change / TURN)) / 2
    shared = [before[:, 0] + change, angles[:, 1], before[:, 2] + lock * change]
    return np.where(lock[:, np.newaxis] != 0, np.stack(shared, axis=-1), angles)
