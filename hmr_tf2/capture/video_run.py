"""Recovers and follows everyone in a video; writes a film with their bodies, and their motions."""

import collections
import dataclasses
import itertools
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from absl import logging
from tqdm import tqdm

from hmr_tf2.capture import height, motion_files
from hmr_tf2.capture.bodies import (
    Body,
    Sighting,
    bodies_of,
    default_focal_length,
    predict,
    see,
    to_draw,
)
from hmr_tf2.capture.boxes import BoxSource
from hmr_tf2.capture.height import KnownHeights
from hmr_tf2.capture.results_file import ResultsFile
from hmr_tf2.capture.sighting_log import SightingLog
from hmr_tf2.capture.sources import Frame, Video
from hmr_tf2.capture.tracking import Tracked, follow, link
from hmr_tf2.capture.webcam import Webcam
from hmr_tf2.crops import crop_box
from hmr_tf2.predictor import Predictor
from hmr_tf2.visualization import overlay
from hmr_tf2.visualization.video_file import video_writer

# Seconds between two looks for newcomers by a detector that is not asked in every frame.
FIND_EVERY_SECONDS = 1.0
# Changes what was seen of a whole video, before anything is written.
Stage = Callable[[SightingLog], None]


@dataclasses.dataclass(frozen=True)
class Writing:
    """What becomes of what was seen.

    Attributes:
        focal_length: of the pinhole cameras, in pixels; None means `default_focal_length`.
        stages: change what was seen, one after the other.
        known: the heights of people.
    """

    focal_length: float | None = None
    stages: Sequence[Stage] = ()
    known: KnownHeights = KnownHeights()


def run(
    video: Video,
    folder: pathlib.Path,
    predictor: Predictor,
    source: BoxSource | None,
    results: ResultsFile,
    how: Writing,
    max_frames: int | None = None,
) -> None:
    """Writes overlay.mp4, and for each person the motion as BVH, GLB and AMASS's NPZ.

    The video is read twice, first to see the people and then to draw them. What was seen waits in
    a file meanwhile, so that its length does not matter and the stages can look at all of it.

    Args:
        video: the video.
        folder: the folder for the results.
        predictor: recovers the bodies.
        source: says where people are; None means one person, who fills the first frame and is
            followed from there.
        results: collects all people of all frames.
        how: what becomes of those who were seen.
        max_frames: number of frames to read; None means all.

    Raises:
        ValueError, OSError: it is not a video, nobody is in it, or nothing can be written.
    """
    info = video.info
    with SightingLog(results.folder) as log:
        total = min(info.num_frames, max_frames or info.num_frames)
        frames = _with_progress(video.frames(max_frames), total, f"Seeing {video.path.name}")
        for time, sightings in see_all(frames, video, predictor, source):
            log.append(time, sightings)
        if not max_frames and len(log) < info.num_frames:
            logging.warning(
                "%s: %d of %d frames could be read.", video.path, len(log), info.num_frames
            )
        write_up(video, folder, predictor, results, how, log)


def see_all(
    frames: Iterable[Frame], video: Video | Webcam, predictor: Predictor, source: BoxSource | None
) -> Iterator[tuple[float, list[Sighting]]]:
    """Yields the time of each frame of a video or webcam, and the people in it."""
    times: collections.deque[float] = collections.deque()
    pictures = _pictures(frames, times)
    name = str(video.path)
    if source is not None and source.is_per_frame:
        seen = _see_boxes(pictures, video, predictor, source)
    elif source is None:
        seen = follow(pictures, predictor, None, None, name)
    else:
        every = None if source.is_for_one else max(1, round(FIND_EVERY_SECONDS * video.info.fps))
        find = source.find
        seen = follow(pictures, predictor, lambda p, k: find(video.path, p, k), every, name)
    for sightings in seen:
        yield times.popleft(), sightings


def write_up(
    video: Video,
    folder: pathlib.Path,
    predictor: Predictor,
    results: ResultsFile,
    how: Writing,
    log: SightingLog,
) -> None:
    """Writes the film and the motions of those who were seen; see `run`."""
    if not log.num_sightings:
        raise ValueError(f"{video.path}: nobody was found in any of its {len(log)} frames.")
    for stage in how.stages:
        stage(log)
    # After smoothing, which would blur it.
    height.apply_to_log(how.known, predictor.rig, log)
    focal_length = how.focal_length or default_focal_length(video.info.size)
    folder.mkdir(parents=True, exist_ok=True)
    _write_film(video, folder / "overlay.mp4", log, predictor, results, focal_length)
    motion_files.write_all(log, folder, predictor.rig, video.info, focal_length, how.known)
    results.finish(video.path)


def _pictures(frames, times):
    for frame in frames:
        times.append(frame.time)
        yield frame.picture


def _see_boxes(pictures, video, predictor, source) -> Iterator[list[Sighting]]:
    """People whose boxes are known beforehand, so that frames share batches."""
    linked = link(source.find(video.name_of(k), None, k) for k in itertools.count())
    waiting: collections.deque[list[Sighting]] = collections.deque()
    for frame, sighting in _seen_in_batches(pictures, linked, waiting, video.path, predictor):
        # Crops come back in their order, so nobody is to come in the frames before this one.
        while waiting[0] is not frame:
            yield waiting.popleft()
        frame.append(sighting)
    yield from waiting


def _seen_in_batches(pictures, linked, waiting, path, predictor):
    """Yields each sighting with its frame, which is in `waiting` once it is read."""

    def crops():
        for number, (picture, tracked) in enumerate(zip(pictures, linked, strict=False)):
            waiting.append([])
            name = f"{path}, frame {number}"
            yield from _crops_of(picture, tracked, waiting[-1], name, predictor)

    for (frame, person, box, score, name), crop, theta in predict(crops(), predictor):
        try:
            yield frame, see(person, box, score, crop, theta, name)
        except ValueError as error:
            logging.warning("%s", error)


def _crops_of(picture, tracked: list[Tracked], frame, name, predictor):
    for person, box, score in tracked:
        try:
            yield (frame, person, box, score, name), crop_box(picture, box, predictor.img_size)
        except ValueError as error:
            logging.warning("%s: %s", name, error)


def _write_film(video, target, log, predictor, results, focal_length):
    """Draws the people on every frame, and adds them to `results`."""
    info = video.info
    frames = _with_progress(video.frames(len(log)), len(log), f"Drawing {video.path.name}")
    bodies = _bodies_by_frame(log, predictor, info.size, focal_length)
    with video_writer(target, info.size, info.fps, sound=video.sound) as append:
        for number, (frame, here) in enumerate(zip(frames, bodies, strict=True)):
            append(overlay.draw_bodies(frame.picture, to_draw(here), predictor.faces), frame.time)
            results.add(str(video.path), number, info.size, here, frame.time)


def _bodies_by_frame(log, predictor, size, focal_length) -> Iterator[list[Body]]:
    """Yields the bodies of each frame, made for several frames at once."""
    frames = log.frames()
    while some := list(itertools.islice(frames, predictor.batch_size)):
        sightings = [sighting for frame in some for sighting in frame]
        bodies = iter(bodies_of(sightings, predictor, size, focal_length))
        for frame in some:
            yield [next(bodies) for _ in frame]


def _with_progress(frames, total, description):
    return tqdm(frames, total=total or None, unit="frame", desc=description, disable=None)
