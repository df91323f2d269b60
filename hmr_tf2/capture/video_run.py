"""Recovers and follows everyone in a video; writes a film with their bodies, and their motions."""

import pathlib
from collections.abc import Iterator

import numpy as np
from absl import logging
from tqdm import tqdm

from hmr_tf2.capture import sources
from hmr_tf2.capture.bodies import (
    Body,
    Sighting,
    bodies_of,
    color_of,
    default_focal_length,
    predict,
    see,
    to_draw,
)
from hmr_tf2.capture.boxes import BoxSource
from hmr_tf2.capture.results_file import ResultsFile
from hmr_tf2.capture.smoothing import smooth_track
from hmr_tf2.capture.tracking import follow, link
from hmr_tf2.crops import crop_box
from hmr_tf2.predictor import Predictor
from hmr_tf2.theta import split_theta
from hmr_tf2.visualization import bvh, gltf, motion, overlay
from hmr_tf2.visualization.video_file import video_writer

# Seconds between two looks for newcomers by a detector that is not asked in every frame.
FIND_EVERY_SECONDS = 1.0


def run(
    path: pathlib.Path,
    folder: pathlib.Path,
    predictor: Predictor,
    source: BoxSource | None,
    results: ResultsFile,
    focal_length: float | None,
    smooth: bool = False,
    max_frames: int | None = None,
) -> None:
    """Writes overlay.mp4, and for each person a BVH and a GLB file with the motion.

    The video is read twice, first to see the people and then to draw them, so that its length
    does not matter and smoothing can look at all of it.

    Args:
        path: the video.
        folder: the folder for the results.
        predictor: recovers the bodies.
        source: says where people are; None means one person, who fills the first frame and is
            followed from there.
        results: collects all people of all frames.
        focal_length: of the pinhole cameras, in pixels; None means `default_focal_length`.
        smooth: whether to pass motions through the one-euro filter.
        max_frames: number of frames to read; None means all.

    Raises:
        ValueError, OSError: it is not a video, nobody is in it, or nothing can be written.
    """
    info = sources.video_info(path)
    focal_length = focal_length or default_focal_length(info.size)
    seen = _see_all(path, info, predictor, source, max_frames)
    if not any(seen):
        raise ValueError(f"{path}: nobody was found in any of its {len(seen)} frames.")
    if not max_frames and len(seen) < info.num_frames:
        logging.warning("%s ends after %d of %d frames.", path, len(seen), info.num_frames)
    if smooth:
        seen = _smoothed(seen, info.fps)
    folder.mkdir(parents=True, exist_ok=True)
    _write_film(path, folder / "overlay.mp4", info, seen, predictor, results, focal_length)
    for person, track in tracks_of(seen).items():
        _write_motion(folder / f"person{person}", track, info, predictor, focal_length)
    results.finish(path)


def tracks_of(seen: list[list[Sighting]]) -> dict[int, list[tuple[int, Sighting]]]:
    """For each person the numbers of the frames, in order, with the sightings there."""
    tracks: dict[int, list[tuple[int, Sighting]]] = {}
    for number, sightings in enumerate(seen):
        for sighting in sightings:
            tracks.setdefault(sighting.person, []).append((number, sighting))
    return tracks


def _see_all(path, info, predictor, source, limit) -> list[list[Sighting]]:
    """The people in each frame."""
    pictures = tqdm(
        sources.frames(path, limit),
        total=limit or info.num_frames or None,
        unit="frame",
        desc=f"Seeing {path.name}",
        disable=None,
    )
    if source is not None and source.is_per_frame:
        count = limit or info.num_frames
        linked = link([source.find(path, None, number) for number in range(count)])
        return _see_boxes(path, pictures, predictor, linked)
    if source is None:
        return list(follow(pictures, predictor, None, None, str(path)))
    every = None if source.is_for_one else max(1, round(FIND_EVERY_SECONDS * info.fps))
    return list(
        follow(
            pictures, predictor, lambda picture, k: source.find(path, picture, k), every, str(path)
        )
    )


def _see_boxes(path, pictures, predictor, linked) -> list[list[Sighting]]:
    """People whose boxes are known beforehand, so that frames share batches."""
    seen: list[list[Sighting]] = []

    def crops():
        for picture, tracked in zip(pictures, linked, strict=False):
            seen.append([])
            for person, box, score in tracked:
                name = f"{path}, frame {len(seen) - 1}"
                try:
                    crop = crop_box(picture, box, predictor.img_size)
                except ValueError as error:
                    logging.warning("%s: %s", name, error)
                else:
                    yield (seen[-1], person, box, score, name), crop

    for (frame, person, box, score, name), crop, theta in predict(crops(), predictor):
        try:
            frame.append(see(person, box, score, crop, theta, name))
        except ValueError as error:
            logging.warning("%s", error)
    return seen


def _smoothed(seen, fps) -> list[list[Sighting]]:
    smooth: list[list[Sighting]] = [[] for _ in seen]
    for track in tracks_of(seen).values():
        numbers, sightings = zip(*track, strict=True)
        for number, sighting in zip(numbers, smooth_track(sightings, fps), strict=True):
            smooth[number].append(sighting)
    return smooth


def _write_film(path, target, info, seen, predictor, results, focal_length):
    """Draws the people on every frame, and adds them to `results`."""
    pictures = tqdm(
        sources.frames(path, len(seen)),
        total=len(seen),
        unit="frame",
        desc=f"Drawing {path.name}",
        disable=None,
    )
    with video_writer(target, info.size, info.fps) as append:
        bodies = _bodies_by_frame(seen, predictor, info.size, focal_length)
        for number, (picture, here) in enumerate(zip(pictures, bodies, strict=True)):
            append(overlay.draw_bodies(picture, to_draw(here), predictor.faces))
            results.add(str(path), number, info.size, here)


def _bodies_by_frame(seen, predictor, size, focal_length) -> Iterator[list[Body]]:
    """Yields the bodies of each frame, made for several frames at once."""
    for start in range(0, len(seen), predictor.batch_size):
        frames = seen[start : start + predictor.batch_size]
        bodies = iter(
            bodies_of([s for frame in frames for s in frame], predictor, size, focal_length)
        )
        for frame in frames:
            yield [next(bodies) for _ in frame]


def _write_motion(name, track, info, predictor, focal_length):
    """Writes BVH and GLB of one person, with the mean of the shapes; gaps hold the last pose."""
    numbers, sightings = (list(column) for column in zip(*track, strict=True))
    rig, theta = predictor.rig, np.stack([sighting.theta for sighting in sightings])
    translations = np.stack(
        [s.camera.perspective(info.size, focal_length).translation for s in sightings]
    )
    frames = np.arange(numbers[0], numbers[-1] + 1)
    row = np.searchsorted(numbers, frames, side="right") - 1
    rotations = predictor.bodies_of(theta)["rotations"]
    vertices, joints = rig.shaped(split_theta(theta).shape.mean(axis=0))
    moves = motion.motion_of(
        (frames - frames[0]) / info.fps, rotations[row], translations[row], joints, vertices
    )
    bvh.write_bvh(name.with_suffix(".bvh"), moves, rig.parents, info.fps)
    gltf.write_motion(
        name.with_suffix(".glb"),
        moves,
        rig,
        info.size,
        focal_length,
        color_of(sightings[0]),
    )
