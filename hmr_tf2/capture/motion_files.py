"""Writes the motion of each person in a video, in the forms that other programs read."""

import pathlib
import tempfile

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_tf2.capture.bodies import color_of
from hmr_tf2.capture.height import KnownHeights, shape_with_height
from hmr_tf2.capture.sighting_log import CHUNK, SightingLog, chunks_of
from hmr_tf2.capture.video_reader import VideoInfo
from hmr_tf2.smpl.rig import Rig
from hmr_tf2.theta import split_theta
from hmr_tf2.visualization import amass, bvh, gltf
from hmr_tf2.visualization.motion import Motion, motion_of, resampled


def write_all(
    log: SightingLog,
    folder: pathlib.Path,
    rig: Rig,
    info: VideoInfo,
    focal_length: float,
    known: KnownHeights,
) -> None:
    """Writes the GLB, the BVH and AMASS's NPZ of everyone in `log`.

    Each has the mean of a person's shapes, which has the height that is known. The GLB has the
    times of the frames, the others even steps of the video's usual rate.
    """
    for person, rows in log.tracks():
        name = folder / f"person{person}"
        shape = _mean_shape(log, rows)
        if height_m := known.of(person):
            # The mean of shapes of one height can be a little shorter.
            shape = shape_with_height(shape, rig, height_m)
        moves = _motion(log, rows, rig, shape, info.size, focal_length)
        color = color_of(log.read(rows[:1])[0])
        gltf.write_motion(name.with_suffix(".glb"), moves, rig, info.size, focal_length, color)
        moves = resampled(moves, info.fps)
        bvh.write_bvh(name.with_suffix(".bvh"), moves, rig.parents, info.fps)
        amass.write_amass(folder / f"{name.name}_poses.npz", moves, shape, info.fps)


def _mean_shape(log, rows) -> np.ndarray:
    shapes = (
        split_theta(np.stack([s.theta for s in log.read(part)])).shape for part in chunks_of(rows)
    )
    return sum(part.astype(np.float64).sum(axis=0) for part in shapes) / len(rows)


def _motion(log, rows, rig, shape, size, focal_length) -> Motion:
    """The motion over every frame from the first to the last, in files where it grows with them.

    In frames in between without the person, the last pose is held.
    """
    vertices, joints = rig.shaped(shape)
    numbers = log.frames_of(rows)
    frames = np.arange(numbers[0], numbers[-1] + 1)
    row = np.searchsorted(numbers, frames, side="right") - 1
    times = log.times[frames]
    rotations = _on_disk((len(frames), len(joints), 3, 3), log.folder)
    root = np.empty((len(frames), 3))
    for start in range(0, len(frames), CHUNK):
        part = slice(start, start + CHUNK)
        sightings = log.read(rows[row[part]])
        poses = split_theta(np.stack([s.theta for s in sightings])).pose
        turns = Rotation.from_rotvec(poses.reshape(-1, 3).astype(np.float64)).as_matrix()
        moves = motion_of(
            times[part],
            turns.reshape(len(sightings), -1, 3, 3),
            [s.camera.perspective(size, focal_length).translation for s in sightings],
            joints,
            vertices,
        )
        rotations[part], root[part] = moves.rotations, moves.root
    return Motion(times - times[0], rotations, root, joints, vertices)


def _on_disk(shape, folder) -> np.ndarray:
    """An array in a temporary file, so that memory does not grow with it."""
    with tempfile.TemporaryFile(prefix=".motion", dir=folder) as file:
        return np.memmap(file, np.float64, "w+", shape=shape)
