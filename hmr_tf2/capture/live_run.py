"""Recovers everyone before a camera as they move, shows it live, and writes what a video gives."""

import contextlib
import itertools
import pathlib
from collections.abc import Iterator

from absl import logging
from tqdm import tqdm

from hmr_tf2.capture import video_run
from hmr_tf2.capture.bodies import Sighting, bodies_of, default_focal_length, to_draw
from hmr_tf2.capture.boxes import BoxSource
from hmr_tf2.capture.live_view import live_view
from hmr_tf2.capture.results_file import ResultsFile
from hmr_tf2.capture.sighting_log import SightingLog
from hmr_tf2.capture.sources import Frame, VideoFile
from hmr_tf2.capture.webcam import Webcam
from hmr_tf2.predictor import Predictor
from hmr_tf2.visualization import overlay
from hmr_tf2.visualization.video_file import video_writer


def run(
    device: int,
    recording: VideoFile,
    folder: pathlib.Path,
    predictor: Predictor,
    source: BoxSource | None,
    results: ResultsFile,
    how: video_run.Writing,
    max_frames: int | None,
    show: bool,
) -> None:
    """Sees the newest frame of a camera again and again; see `video_run.run` for the others.

    Args:
        device: the camera's number.
        recording: where the frames that were seen are kept, as an MP4 file.
        max_frames: number of frames to see; None means until the camera, q or Ctrl-C ends it.
        show: whether to show each frame with its bodies as soon as they are known.

    Raises:
        ValueError, OSError: there is no such camera, nobody was seen, or nothing can be written.
    """
    if source is not None and source.is_per_frame:
        raise ValueError("--json_path knows the frames of a recorded video, and not of a webcam.")
    with SightingLog(results.folder) as log:
        with Webcam(device, recording.path) as camera, contextlib.ExitStack() as stack:
            append = stack.enter_context(
                video_writer(recording.path, camera.info.size, camera.info.fps)
            )
            view = stack.enter_context(live_view(f"Camera {device}")) if show else None
            logging.info("Camera %d is seen; Ctrl-C%s ends it.", device, " or q" if show else "")
            seen = _see(camera, predictor, source, max_frames)
            with contextlib.suppress(KeyboardInterrupt):
                for frame, sightings in tqdm(seen, total=max_frames, unit="frame", disable=None):
                    append(frame.picture, frame.time)
                    log.append(frame.time, sightings)
                    if view and not view.show(
                        _drawn(frame, sightings, predictor, how.focal_length)
                    ):
                        break
        video_run.write_up(recording, folder, predictor, results, how, log)


def _see(camera, predictor, source, max_frames) -> Iterator[tuple[Frame, list[Sighting]]]:
    """Yields the frames that were seen, with the people in them."""
    newest = []

    def frames():
        for frame in itertools.islice(camera.frames(), max_frames):
            newest[:] = [frame]
            yield frame

    for _, sightings in video_run.see_all(frames(), camera, predictor, source):
        yield newest[0], sightings


def _drawn(frame, sightings, predictor, focal_length):
    size = frame.picture.shape[1::-1]
    focal_length = focal_length or default_focal_length(size)
    bodies = bodies_of(sightings, predictor, size, focal_length)
    return overlay.draw_bodies(frame.picture, to_draw(bodies), predictor.faces)
