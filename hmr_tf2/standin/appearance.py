"""What people wear and how they are lit: colours per vertex and lamps, drawn at random."""

import dataclasses
import functools

import numpy as np

from hmr_tf2.compiled import compiled
from hmr_tf2.standin import body
from hmr_tf2.standin.skinning_weights import skinning_weights
from hmr_tf2.visualization.renderer import Lights
from tfrecords_tools import joints

_SKIN = np.array(
    [
        [0.96, 0.80, 0.70],
        [0.90, 0.70, 0.57],
        [0.80, 0.58, 0.43],
        [0.62, 0.43, 0.31],
        [0.45, 0.30, 0.22],
        [0.31, 0.20, 0.15],
    ]
)
_HAIR = np.array(
    [
        [0.07, 0.06, 0.06],
        [0.20, 0.12, 0.08],
        [0.42, 0.27, 0.15],
        [0.75, 0.58, 0.33],
        [0.55, 0.53, 0.51],
        [0.47, 0.20, 0.10],
    ]
)


@dataclasses.dataclass(frozen=True)
class Atlas:
    """Where a vertex is on the body: float32 [V] each, from the template."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    arm: np.ndarray
    leg: np.ndarray
    head: np.ndarray


@functools.lru_cache(maxsize=1)
def atlas() -> Atlas:
    """The atlas of the stand-in body."""
    vertices, faces, mirror = body.load_mesh()
    weights = skinning_weights(vertices, faces, mirror)

    def of(*parts):
        columns = [k for k, name in enumerate(joints.SMPL.names) if name.endswith(parts)]
        return weights[:, columns].sum(1).astype(np.float32)

    x, y, z = vertices.T.astype(np.float32)
    return Atlas(
        x,
        y,
        z,
        of("shoulder", "elbow", "wrist", "hand"),
        of("hip", "knee", "ankle", "foot"),
        of("head"),
    )


def random_colors(rng: np.random.Generator) -> np.ndarray:
    """float32 [6890, 3] in [0, 1]: skin, face, hair, top, trousers or skirt, and shoes."""
    place = atlas()
    skin = _mix(rng, _SKIN)
    colors = np.tile(skin, (len(place.x), 1)).astype(np.float32)
    _paint_face(colors, place, skin)
    _dress(colors, place, rng)
    if rng.random() < 0.93:
        long = rng.random() < 0.4
        _paint(colors, _hair(place, long), _mix(rng, _HAIR))
    return colors.clip(0, 1)


def random_lights(rng: np.random.Generator) -> Lights:
    """A key light from anywhere above, a fill light, and some sky, slightly tinted."""
    azimuth, height = rng.uniform(-np.pi, np.pi), rng.uniform(0.05, 1.2)
    key = [np.sin(azimuth) * np.cos(height), -np.sin(height), -np.cos(azimuth) * np.cos(height)]
    fill = [-key[0] + rng.normal(0, 0.3), -0.2, -abs(rng.normal(0.6, 0.3)) - 0.1]
    strength, tint = rng.uniform(0.4, 0.95), 1 + rng.normal(0, 0.05, 3)
    return Lights(
        directions=np.array([key, fill]),
        colors=np.array([strength * tint, rng.uniform(0.05, 0.35) * np.ones(3)]),
        ambient=np.full(3, rng.uniform(0.28, 0.5)) / tint,
        sky=np.full(3, rng.uniform(0.02, 0.2)),
    )


def _mix(rng, palette):
    """A colour between two neighbours of `palette`, a little varied."""
    k, t = rng.integers(len(palette) - 1), rng.random()
    color = palette[k] * (1 - t) + palette[k + 1] * t
    return np.clip(color * (1 + rng.normal(0, 0.05, 3)), 0, 1)


def _cloth(rng):
    """A colour of cloth: often grey, dark or blue, sometimes bright."""
    if rng.random() < 0.4:
        return np.clip(rng.uniform(0.05, 0.95) + rng.normal(0, 0.03, 3), 0, 1)
    return rng.uniform(0.03, 0.97, 3)


def _soft(distance, width=0.02):
    """[V] in [0, 1]: 1 where `distance` (m) is positive, with an edge a vertex or two wide.

    Colours are interpolated between vertices, so that this draws a clean line where a sharp
    choice would draw the triangles.
    """
    return np.clip(distance / width + 0.5, 0, 1)


def _paint(colors, weight, color):
    """Moves `colors` [V, 3] towards `color` by `weight` [V] in [0, 1], in place."""
    _blend(colors, np.asarray(weight, np.float32), np.asarray(color, np.float32))


@compiled
def _blend(colors, weight, color):
    for v in range(colors.shape[0]):
        for k in range(3):
            colors[v, k] += weight[v] * (color[k] - colors[v, k])


def _paint_face(colors, place, skin):
    side = np.abs(place.x)

    def ball(x, y, z, radius):
        away = (side - x) ** 2 + (place.y - y) ** 2 + (place.z - z) ** 2
        return _soft(radius - np.sqrt(away), 0.004)

    _paint(colors, ball(0.032, 0.679, 0.090, 0.012), np.array([0.92, 0.92, 0.92]))
    _paint(colors, ball(0.032, 0.679, 0.092, 0.0065), np.array([0.12, 0.08, 0.06]))
    brow = _soft(0.006 - np.abs(place.y - 0.699), 0.004) * (place.z > 0.06)
    _paint(colors, brow * (side > 0.012) * (side < 0.055), skin * 0.35)
    lips = _soft(0.0125 - np.abs(place.y - 0.610), 0.004) * (side < 0.024) * (place.z > 0.085)
    _paint(colors, lips, skin * [0.85, 0.55, 0.55])


def _hair(place, long):
    line = np.interp(place.z, [-0.09, -0.02, 0.03, 0.10], [0.60, 0.68, 0.705, 0.738])
    not_ear = np.abs(place.x) < 0.079
    cap = _soft(place.y - line, 0.008) * (place.head > 0.3) * not_ear
    if not long:
        return cap
    back = _soft(place.y - 0.50) * _soft(-0.012 - place.z) * (np.abs(place.x) < 0.085)
    return np.maximum(cap, back * not_ear)


def _dress(colors, place, rng):
    """Paints trousers or skirt, top, and shoes, in this order from inner to outer."""
    side = np.abs(place.x)
    body = _soft(0.5 - place.arm, 0.3)
    waist = rng.uniform(-0.02, 0.05)
    hem = rng.choice([-0.87, -0.87, -0.87, -0.42, -0.25])
    if rng.random() < 0.97:
        _paint(colors, _soft(waist - place.y) * _soft(place.y - hem) * body, _cloth(rng))
    if rng.random() < 0.93:
        sleeve = rng.choice([0.18, 0.30, 0.30, 0.42, 0.66, 0.66])
        neckline = rng.uniform(0.44, 0.50)
        bottom = rng.uniform(-0.12, 0.0) if rng.random() < 0.9 else -0.45
        # The neckline is lower in front and only on the trunk, so that shoulders stay covered.
        open_neck = _soft(0.075 - side) * _soft(place.y - neckline + 0.2 * place.z)
        top = _soft(sleeve - side) * _soft(place.y - bottom) * (1 - open_neck)
        top *= np.maximum(1 - body, _soft(0.50 - place.y)) * _soft(0.3 - place.head, 0.2)
        _pattern(colors, top, place, rng)
        if rng.random() < 0.5:  # a print on the chest
            width, height = rng.uniform(0.03, 0.08, 2)
            away = np.hypot(place.x / width, (place.y - rng.uniform(0.22, 0.34)) / height)
            _paint(colors, top * _soft(1 - away, 0.3) * (place.z > 0.03), _cloth(rng))
    if rng.random() < 0.85:
        _paint(colors, _soft(rng.uniform(-0.90, -0.85) - place.y), _cloth(rng))


def _pattern(colors, region, place, rng):
    """Fills `region` with one colour, or two in stripes, halves or blocks."""
    _paint(colors, region, _cloth(rng))
    kind, period = rng.random(), rng.uniform(0.10, 0.18)
    if kind < 0.15:
        second = _soft(np.sin(2 * np.pi * place.y / period) - rng.uniform(-0.3, 0.5), 0.9)
    elif kind < 0.22:
        second = _soft(np.sin(2 * np.pi * place.x / period), 0.9)
    elif kind < 0.32:
        second = _soft(place.arm - 0.5, 0.3)
    elif kind < 0.40:
        second = _soft(place.y - rng.uniform(0.15, 0.4))
    else:
        return
    _paint(colors, region * second, _cloth(rng))
