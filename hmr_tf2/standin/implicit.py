"""Implicit solids that blend smoothly: the clay that the stand-in body is modelled from.

A solid is a function from points float64 [N, 3] to the approximate signed distance float64 [N]
(metres, negative inside). Each comes with a box outside of which it need not be evaluated.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy.interpolate import PchipInterpolator

FAR = 1.0  # metres; the distance where no solid is near


@dataclasses.dataclass(frozen=True)
class Solid:
    """A shape, the box [2, 3] that holds it, and the width (m) over which it melts into others."""

    distance: Callable[[np.ndarray], np.ndarray]
    box: np.ndarray
    blend: float
    cut: bool = False


def ellipsoid(centre, radii, blend=0.02, tilt_x=0.0, tilt_z=0.0, cut=False) -> Solid:
    """An ellipsoid, turned by `tilt_x` then `tilt_z` degrees about its centre."""
    centre, radii = np.asarray(centre, float), np.asarray(radii, float)
    a, b = np.deg2rad([tilt_x, tilt_z])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    turn = about_z @ about_x

    def distance(points):
        local = (points - centre) @ turn
        return _scaled_distance(local, radii)

    return Solid(distance, np.stack([centre - radii.max(), centre + radii.max()]), blend, cut)


def round_cone(start, end, radius_start, radius_end, blend=0.02, cut=False) -> Solid:
    """A bone-like solid: a sphere that moves from `start` to `end` and changes its radius."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    axis = end - start

    def distance(points):
        t = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
        away = np.linalg.norm(points - start - t[:, None] * axis, axis=1)
        return away - (radius_start + (radius_end - radius_start) * t)

    reach = max(radius_start, radius_end)
    box = np.stack([np.minimum(start, end) - reach, np.maximum(start, end) + reach])
    return Solid(distance, box, blend, cut)


def sweep(start, end, side, stations, blend=0.02, power=2.0) -> Solid:
    """A limb or trunk: a cross-section that changes along an axis, with rounded ends.

    Args:
        start: centre of the first cross-section.
        end: centre of the last one.
        side: direction of a cross-section's first half-width; the "front" is side x axis.
        stations: rows of (t, half-width sideways, front, back), t from 0 at `start` to 1.
        blend: width over which it melts into its neighbours.
        power: 2 for ellipses, more for boxier sections.
    """
    start, end, side = (np.asarray(q, float) for q in (start, end, side))
    length = np.linalg.norm(end - start)
    axis = (end - start) / length
    side = side - (side @ axis) * axis
    side /= np.linalg.norm(side)
    front = np.cross(side, axis)
    table = np.asarray(stations, float)
    profile = PchipInterpolator(table[:, 0], table[:, 1:])

    def distance(points):
        local = points - start
        along = local @ axis / length
        t = np.clip(along, table[0, 0], table[-1, 0])
        half = profile(t)
        forward = local @ front
        depth = np.where(forward >= 0, half[:, 1], half[:, 2])
        cap = np.minimum(half[:, 0], depth)
        radii = np.stack([half[:, 0], depth, cap], axis=1)
        q = np.stack([local @ side, forward, (along - t) * length], axis=1)
        return _scaled_distance(q, radii, power)

    reach = table[:, 1:].max()
    ends = np.stack([start + axis * length * t for t in table[[0, -1], 0]])
    return Solid(distance, np.stack([ends.min(0) - reach, ends.max(0) + reach]), blend)


def melt(solids: list[Solid]) -> Callable[[np.ndarray], np.ndarray]:
    """The union of `solids` one after the other (minus the cut ones), each with its own blend."""

    def distance(points):
        total = np.full(len(points), FAR)
        for solid in solids:
            margin = 3 * solid.blend + 0.03
            near = ((points > solid.box[0] - margin) & (points < solid.box[1] + margin)).all(1)
            if not near.any():
                continue
            d = solid.distance(points[near])
            if solid.cut:
                total[near] = -_smooth_min(-total[near], d, solid.blend)
            else:
                total[near] = _smooth_min(total[near], d, solid.blend)
        return total

    return distance


def gradient(distance, points: np.ndarray, step=5e-4) -> np.ndarray:
    """float64 [N, 3]: central differences of `distance` at `points`."""
    columns = []
    for axis in np.eye(3) * step:
        columns.append((distance(points + axis) - distance(points - axis)) / (2 * step))
    return np.stack(columns, axis=1)


def project(distance, points: np.ndarray, rounds=4) -> np.ndarray:
    """Moves points near the surface onto it (Newton steps along the gradient, at most 8 mm)."""
    for _ in range(rounds):
        slope = gradient(distance, points)
        # Where solids melt, the gradient can vanish; the bound keeps the step finite.
        square = np.maximum((slope**2).sum(1), 0.05)
        step = (distance(points) / square)[:, None] * slope
        size = np.linalg.norm(step, axis=1, keepdims=True)
        points = points - step * np.minimum(1, 0.008 / np.maximum(size, 1e-12))
    return points


def _scaled_distance(q, radii, power=2.0):
    """First-order distance to |q / radii| = 1 (after Quilez, "ellipsoid distance").

    `level` is 1 on the surface; divided by its slope, the difference from 1 is in metres.
    """
    ratio = np.abs(q / radii)
    level = (ratio**power).sum(1) ** (1 / power)
    slope = np.sqrt(((q / radii**2) ** 2).sum(1))
    inside = -np.min(np.broadcast_to(radii, q.shape), axis=1)
    return np.where(slope > 1e-9, level * (level - 1) / np.maximum(slope, 1e-9), inside)


def _smooth_min(a, b, width):
    """Polynomial minimum that rounds the seam over `width` (Quilez, "smooth minimum", cubic)."""
    h = np.maximum(width - np.abs(a - b), 0) / width
    return np.minimum(a, b) - h**3 * width / 6
