"""Pictures of people who never existed, with everything about them known.

    photo = random_photo(np.random.default_rng(0), (224, 224))
    photo.image, photo.people[0].keypoints_px, photo.people[0].visible

World axes: y up. Camera axes: x right, y down, z away; a person's `pose` is given in camera axes,
as HMR predicts it, so that SMPL(pose, shape) plus a shift is what the camera sees.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from hmr_tf2.standin import appearance, backgrounds, motion, posing
from hmr_tf2.visualization.cameras import Camera, perspective
from hmr_tf2.visualization.renderer import Lights, RenderResult, render
from tfrecords_tools import joints

# From y up to y down: half a turn about x.
UPRIGHT = np.diag([1.0, -1.0, -1.0])

# How far (m) a keypoint may lie under the skin that hides it and still count as visible.
_DEPTH_INSIDE = {
    "ankle": 0.075,
    "knee": 0.10,
    "hip": 0.15,
    "wrist": 0.055,
    "elbow": 0.07,
    "shoulder": 0.11,
    "neck": 0.11,
    "top": 0.09,
    "nose": 0.04,
    "eye": 0.03,
    "ear": 0.035,
}
_TOLERANCE = np.array([_DEPTH_INSIDE[n.split("_")[-1]] for n in joints.COCO_PLUS.names])


@dataclasses.dataclass(frozen=True)
class Variety:
    """How much pictures may differ.

    `turn` is how far (radians) people may face away from the camera, `occluded` the chance of an
    object in front of them, `clutter` from 0 to 1 how full the scenery and how bad the camera is.
    """

    turn: float = np.pi
    occluded: float = 0.25
    clutter: float = 1.0


EVERYDAY = Variety()
# The one from which a network learns most in its first minutes.
PLAIN = Variety(occluded=0.0, clutter=0.0)


@dataclasses.dataclass(frozen=True)
class Figure:
    """A posed and dressed body somewhere in the world."""

    shape: np.ndarray
    pose: np.ndarray
    shift: np.ndarray
    body: posing.Posed
    colors: np.ndarray

    def points(self, name: str) -> np.ndarray:
        """float32 [..., 3]: `vertices`, `joints` or `keypoints` in the world."""
        return getattr(self.body, name) + self.shift.astype(np.float32)


class Person(NamedTuple):
    """What is known of a person in a picture; keypoints are in the order `joints.COCO_PLUS`.

    `keypoints_px` float32 [19, 2]; `visible` bool [19], seen and inside the picture;
    `keypoints_m` [19, 3] and `joints_m` [24, 3] in camera axes; `pose` [72] with the root in
    camera axes; `shape` [10]; `mask` bool [H, W], the pixels that show the person.
    """

    keypoints_px: np.ndarray
    visible: np.ndarray
    keypoints_m: np.ndarray
    joints_m: np.ndarray
    pose: np.ndarray
    shape: np.ndarray
    mask: np.ndarray


class Photo(NamedTuple):
    """`image` uint8 [H, W, 3], and the `people` in it in the order in which they were given."""

    image: np.ndarray
    people: list[Person]


def random_figure(
    rng, *, pose=None, shape=None, colors=None, shift=(0, 0, 0), turn=np.pi
) -> Figure:
    """A person; what is not given is drawn at random."""
    shape = random_shape(rng) if shape is None else np.asarray(shape, np.float64)
    pose = motion.random_pose(rng, turn=turn) if pose is None else np.asarray(pose, np.float64)
    colors = appearance.random_colors(rng) if colors is None else colors
    posed = posing.standin_poser().pose(shape, pose)
    return Figure(shape, pose, np.asarray(shift, np.float64), posed, colors)


def random_shape(rng) -> np.ndarray:
    """float64 [10]: normally distributed, at most two standard deviations from the mean."""
    return np.clip(rng.standard_normal(10), -2, 2)


def frame_camera(rng, points, size, *, height_px, centre_px, pitch=None) -> Camera:
    """A camera that sees `points` [N, 3] about `height_px` tall around `centre_px`.

    Pitch and roll vary as in the hands of people; the focal length is that of a phone.
    """
    pitch = rng.normal(0.06, 0.14) if pitch is None else pitch
    rotation = UPRIGHT @ _turn(0, pitch) @ _turn(2, rng.normal(0, 0.06))
    local = rotation @ points.T  # [3, N]: three long rows are searched much faster
    low, high = local.min(1), local.max(1)
    focal = rng.uniform(1.1, 2.2) * max(size)
    extent = max(high[1] - low[1], high[0] - low[0])
    depth = focal * extent / height_px + (high[2] - low[2]) / 2
    principal = np.array([size[1], size[0]]) / 2 - 0.5
    offset = (np.asarray(centre_px) - principal) / focal * depth
    middle = (low + high) / 2
    return perspective(focal, principal, [*(offset - middle[:2]), depth - middle[2]], rotation)


def photograph(
    figures: list[Figure],
    camera: Camera,
    scenery: np.ndarray,
    lights: Lights,
    *,
    occluders: int = 0,
    shadow: float = 0.0,
    rng: np.random.Generator | None = None,
    samples: int = 2,
) -> Photo:
    """Draws `figures` on a copy of `scenery` uint8 [H, W, 3], far ones first.

    `shadow` from 0 to 1 darkens the floor under the people; `occluders` is the number of objects,
    drawn by `rng`, that are put in front of them.
    """
    if shadow > 0:
        for figure in figures:
            footprint = camera.project(_footprint(figure))[0]
            scenery = backgrounds.cast_shadow(scenery, footprint, shadow)
    image, shots = _draw(figures, camera, scenery, lights, samples)
    nearest = np.min([shot.depth for shot in shots], axis=0, initial=np.inf)
    hidden = np.zeros(image.shape[:2], bool)
    for _ in range(occluders):
        hidden |= backgrounds.occlude(rng, image, _box(shots[rng.integers(len(shots))].silhouette))
    people = [
        _person(figure, shot, camera, nearest, hidden)
        for figure, shot in zip(figures, shots, strict=True)
    ]
    return Photo(image, people)


def random_photo(
    rng, size, num_people=1, height_share=(0.6, 0.92), variety: Variety = EVERYDAY
) -> Photo:
    """A completely random picture, degraded as by a camera.

    Args:
        rng: draws everything.
        size: (height, width) in pixels.
        num_people: how many stand side by side.
        height_share: range of a person's extent relative to the picture's smaller side.
        variety: how much it may differ from other pictures.
    """
    figures = [random_figure(rng, turn=variety.turn)]
    for k in range(1, num_people):
        step = np.array(
            [(-1) ** k * ((k + 1) // 2) * rng.uniform(0.5, 1.0), 0, rng.normal(0, 0.5)]
        )
        figures.append(random_figure(rng, shift=step, turn=variety.turn))
    height_px = rng.uniform(*height_share) * min(size)
    centre = np.array([size[1], size[0]]) * (0.5 + rng.normal(0, 0.04, 2))
    camera = frame_camera(
        rng, figures[0].points("vertices"), size, height_px=height_px, centre_px=centre
    )
    scenery = backgrounds.background(rng, *size, variety.clutter)
    photo = photograph(
        figures,
        camera,
        scenery,
        appearance.random_lights(rng),
        occluders=int(rng.random() < variety.occluded),
        shadow=rng.uniform(0, 0.6),
        rng=rng,
    )
    return photo._replace(image=backgrounds.degrade(rng, photo.image, variety.clutter))


def camera_pose(pose: np.ndarray, camera: Camera) -> np.ndarray:
    """float64 [72]: `pose` with its root turned from world into camera axes."""
    turned = np.array(pose, np.float64)
    turned[:3] = posing.axis_angle(camera.rotation @ posing.rotation_matrices(turned[:3]))
    return turned


def _draw(figures, camera, scenery, lights, samples) -> tuple[np.ndarray, list[RenderResult]]:
    """The picture with all figures, and each one's own drawing, in the order of `figures`."""
    image, shots = scenery, [None] * len(figures)
    distance = [camera.to_camera(figure.points("joints")[0])[2] for figure in figures]
    for k in np.argsort(distance)[::-1]:
        shots[k] = render(
            figures[k].points("vertices"),
            posing.standin_poser().faces,
            camera,
            scenery.shape[:2],
            colors=figures[k].colors,
            lights=lights,
            background=image,
            samples=samples,
        )
        image = shots[k].image
    return image, shots


def _person(figure, shot, camera, nearest, hidden):
    keypoints = camera.to_camera(figure.points("keypoints"))
    pixels, depth = camera.project(figure.points("keypoints"))
    height, width = nearest.shape
    column, row = np.round(pixels).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (depth > 0)
    r, c = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    visible = inside & (depth - nearest[r, c] < _TOLERANCE) & ~hidden[r, c]
    mask = (shot.silhouette > 0.5) & (shot.depth <= nearest) & ~hidden
    return Person(
        pixels.astype(np.float32),
        visible,
        keypoints.astype(np.float32),
        camera.to_camera(figure.points("joints")).astype(np.float32),
        camera_pose(figure.pose, camera),
        figure.shape,
        mask,
    )


def _footprint(figure):
    """float [24, 3]: a round patch of floor under the lowest point, about as wide as the body."""
    vertices = figure.points("vertices")
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    places = np.sort(vertices[::16, [0, 2]], axis=0)
    low, high = places[len(places) // 10], places[-len(places) // 10]
    x, z = (low + high)[:, None] / 2 + (0.12 + (high - low)[:, None] / 2) * [
        np.cos(angle),
        np.sin(angle),
    ]
    return np.stack([x, np.full(24, vertices[:, 1].min()), z], axis=1)


def _box(silhouette):
    rows, columns = np.flatnonzero(silhouette.any(1)), np.flatnonzero(silhouette.any(0))
    if not len(rows):
        return 0, 0, silhouette.shape[1], silhouette.shape[0]
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def _turn(axis, angle):
    vector = np.zeros(3)
    vector[axis] = angle
    return posing.rotation_matrices(vector)
