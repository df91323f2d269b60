"""What was seen of a video waits in a file, and comes back as it was."""

import numpy as np
import pytest

from hmr_tf2.capture import sighting_log
from hmr_tf2.capture.bodies import Sighting
from hmr_tf2.capture.sighting_log import SightingLog, chunks_of
from hmr_tf2.crops import CropPlace


def sighting(rng, person):
    place = CropPlace(rng.uniform(0.5, 2, 2), rng.uniform(-9, 9, 2), 224)
    theta = rng.normal(size=85).astype(np.float32)
    return Sighting(person, rng.uniform(0, 99, 4), float(rng.uniform()), place, theta)


def same(first, second):
    assert first.person == second.person and first.score == pytest.approx(second.score)
    assert first.place.img_size == second.place.img_size
    for a, b in zip(
        (first.box, first.theta, first.place.scale, first.place.start),
        (second.box, second.theta, second.place.scale, second.place.start),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(params=[2, 256])
def filled(request, monkeypatch, rng, tmp_path):
    """A log, and the frames that were put into it; pieces of 2 rows and of all."""
    monkeypatch.setattr(sighting_log, "CHUNK", request.param)
    frames = [
        [sighting(rng, person) for person in people]
        for people in ([], [0], [0, 1], [], [], [1, 0, 2], [2], [])
    ]
    with SightingLog(tmp_path) as log:
        for number, people in enumerate(frames):
            log.append(number / 10, people)
        yield log, frames


def test_frames_come_back_as_they_were(filled):
    log, frames = filled
    assert len(log) == 8 and log.num_sightings == 7
    np.testing.assert_array_equal(log.times, np.arange(8) / 10)
    got = list(log.frames())
    assert [len(people) for people in got] == [len(people) for people in frames]
    for first, second in zip(got, frames, strict=True):
        for one, other in zip(first, second, strict=True):
            same(one, other)


def test_each_persons_rows_are_known_in_order(filled):
    log, frames = filled
    for person, rows in log.tracks():
        expected = [(k, s) for k, frame in enumerate(frames) for s in frame if s.person == person]
        assert log.frames_of(rows).tolist() == [k for k, _ in expected]
        for one, (_, other) in zip(log.read(rows), expected, strict=True):
            same(one, other)
    assert [person for person, _ in log.tracks()] == [0, 1, 2]


def test_what_is_changed_is_read_changed_and_the_rest_is_not(filled, rng):
    log, frames = filled
    rows = dict(log.tracks())[1]
    new = [s._replace(theta=rng.normal(size=85).astype(np.float32)) for s in log.read(rows)]
    log.change(rows, new)
    for one, other in zip(log.read(rows), new, strict=True):
        same(one, other)
    rows = dict(log.tracks())[0]
    others = [s for frame in frames for s in frame if s.person == 0]
    for one, other in zip(log.read(rows), others, strict=True):
        same(one, other)


def test_a_log_without_anybody_has_frames_and_nobody(tmp_path):
    with SightingLog(tmp_path) as log:
        assert list(log.frames()) == [] and list(log.tracks()) == []
        log.append(0.0, [])
        log.append(0.5, [])
        assert list(log.frames()) == [[], []] and list(log.tracks()) == []
    assert list(tmp_path.iterdir()) == []


def test_pieces_cover_all_rows():
    rows = np.arange(2500)
    assert [len(part) for part in chunks_of(rows)] == [256] * 9 + [196]
    np.testing.assert_array_equal(np.concatenate(list(chunks_of(rows))), rows)
