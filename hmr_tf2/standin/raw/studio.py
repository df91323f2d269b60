"""A studio of fixed cameras around a moving person, for the data sets with 3-D labels."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hmr_tf2.standin import appearance, backgrounds, joint_angles, motion, people, posing
from hmr_tf2.visualization.cameras import Camera, perspective

MILLIMETRES = 1000.0


@dataclasses.dataclass(frozen=True)
class Take:
    """One recording: the subject's `shape` [10], `poses` [T, 72] and `shifts` [T, 3] in metres."""

    shape: np.ndarray
    poses: np.ndarray
    shifts: np.ndarray

    def figure(self, frame: int, colors: np.ndarray) -> people.Figure:
        """The person at `frame`, dressed in `colors`."""
        body = posing.standin_poser().pose(self.shape, self.poses[frame])
        return people.Figure(self.shape, self.poses[frame], self.shifts[frame], body, colors)


class Place(NamedTuple):
    """`keypoints_m` [19, 3] and `joints_m` [24, 3] in camera axes, as in `people.Person`."""

    keypoints_m: np.ndarray
    joints_m: np.ndarray


def ring_camera(azimuth, height, distance, focal, principal_point) -> Camera:
    """A camera on a ring around the origin that looks at it (radians, metres, pixels)."""
    eye = distance * np.array([np.sin(azimuth), height / distance, np.cos(azimuth)])
    away = -eye / np.linalg.norm(eye)
    right = np.cross(away, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(away, right), away])
    return perspective(focal, principal_point, -rotation @ eye, rotation)


def in_front(azimuth, variety: people.Variety):
    """The place of a camera on the ring, moved to the front if people are to face the cameras.

    People turn by a quarter of `variety.turn`, cameras stand within the other three quarters; a
    full turn leaves the cameras where they are, all around.
    """
    if variety.turn >= np.pi:
        return azimuth
    wrapped = (azimuth + np.pi) % (2 * np.pi) - np.pi
    return wrapped / np.pi * 0.75 * variety.turn


def take(rng, shape, num_frames, fps, variety: people.Variety, kind=None) -> Take:
    """A recording of `num_frames` at `fps`; the person drifts within half a metre."""
    kinds = [name for name in motion.KINDS if name != "extremes"]
    kind = str(rng.choice(kinds)) if kind is None else kind
    turn = np.pi if variety.turn >= np.pi else variety.turn / 4
    poses = motion.clip(kind, num_frames, rng, fps, turn)
    times = np.arange(num_frames) / fps
    shifts = np.stack([0.3 * joint_angles.wave(times, rng, 0.15) for _ in range(3)], axis=1)
    return Take(shape, poses, shifts * [1.0, 0.2, 1.0])


def medley(rng, shape, num_frames, variety: people.Variety) -> Take:
    """A recording with a different motion in every frame, so that few frames hold many poses."""
    takes = [take(rng, shape, 1, 1.0, variety) for _ in range(num_frames)]
    poses = np.concatenate([part.poses for part in takes])
    return Take(shape, poses, np.concatenate([part.shifts for part in takes]))


def shoot(
    rng, take: Take, frame: int, camera: Camera, size, variety: people.Variety
) -> people.Photo:
    """A picture of `take` at `frame`; clothes, light and scenery change with every picture.

    Real studios change less. Here a few pictures must show as much variety as possible.
    """
    figure = take.figure(frame, appearance.random_colors(rng))
    scenery = backgrounds.background(rng, *size, variety.clutter)
    photo = people.photograph(
        [figure],
        camera,
        scenery,
        appearance.random_lights(rng),
        occluders=int(rng.random() < 0.4 * variety.occluded),
        shadow=rng.uniform(0, 0.6),
        rng=rng,
    )
    return photo._replace(image=backgrounds.degrade(rng, photo.image, variety.clutter))


def locate(take: Take, cameras: Sequence[Camera]) -> list[list[Place]]:
    """Where the person of `take` is: one list of frames per camera. Nothing is drawn."""
    figures = [take.figure(frame, np.zeros((1, 3))) for frame in range(len(take.poses))]
    return [
        [
            Place(*(view.to_camera(figure.points(name)) for name in ("keypoints", "joints")))
            for figure in figures
        ]
        for view in cameras
    ]
