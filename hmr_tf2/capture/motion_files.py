"""Writes the motion of each person in a video, in the forms that other programs read."""

import pathlib

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_tf2.capture.bodies import color_of
from hmr_tf2.capture.sighting_log import SightingLog, chunks_of
from hmr_tf2.capture.video_reader import VideoInfo
from hmr_tf2.smpl.rig import Rig
from hmr_tf2.theta import split_theta
from hmr_tf2.visualization import bvh, gltf
from hmr_tf2.visualization.motion import Motion, motion_of


def write_all(
    log: SightingLog, folder: pathlib.Path, rig: Rig, info: VideoInfo, focal_length: float
) -> None:
    """Writes the BVH and GLB of everyone in `log`, with the mean of their shapes."""
    for person, rows in log.tracks():
        name = folder / f"person{person}"
        moves, shape = _motion(log, rows, rig, info.size, focal_length)
        bvh.write_bvh(name.with_suffix(".bvh"), moves, rig.parents, info.fps)
        color = color_of(log.read(rows[:1])[0])
        gltf.write_motion(name.with_suffix(".glb"), moves, rig, info.size, focal_length, color)


def _motion(log, rows, rig, size, focal_length) -> tuple[Motion, np.ndarray]:
    """The motion over every frame from the first to the last, and the mean shape [10].

    In frames in between without the person, the last pose is held.
    """
    rotations = np.empty((len(rows), 24, 3, 3))
    translations = np.empty((len(rows), 3))
    shape = np.zeros(10)
    done = 0
    for part in chunks_of(rows):
        sightings = log.read(part)
        here = slice(done, done := done + len(part))
        theta = split_theta(np.stack([sighting.theta for sighting in sightings]))
        turns = Rotation.from_rotvec(theta.pose.reshape(-1, 3).astype(np.float64))
        rotations[here] = turns.as_matrix().reshape(-1, 24, 3, 3)
        translations[here] = [
            s.camera.perspective(size, focal_length).translation for s in sightings
        ]
        shape += theta.shape.sum(axis=0) / len(rows)
    vertices, joints = rig.shaped(shape)
    numbers = log.frames_of(rows)
    frames = np.arange(numbers[0], numbers[-1] + 1)
    row = np.searchsorted(numbers, frames, side="right") - 1
    times = log.times[frames]
    moves = motion_of(times - times[0], rotations[row], translations[row], joints, vertices)
    return moves, shape
