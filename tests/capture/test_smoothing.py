"""The one-euro filter: less noise, no lag where things move, rotations stay rotations."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_tf2.capture import smoothing
from hmr_tf2.capture.bodies import Sighting
from hmr_tf2.capture.sighting_log import SightingLog
from hmr_tf2.crops import CropPlace


class PaperFilter:
    """Algorithm 1 of Casiez et al. 2012, for one number, as it stands there."""

    def __init__(self, min_cutoff, beta, d_cutoff):
        self.min_cutoff, self.beta, self.d_cutoff = min_cutoff, beta, d_cutoff
        self.x = self.dx = None

    def __call__(self, x, rate):
        dx = 0.0 if self.x is None else (x - self.raw) * rate
        self.dx = dx if self.dx is None else self.low(dx, self.dx, self.alpha(rate, self.d_cutoff))
        cutoff = self.min_cutoff + self.beta * abs(self.dx)
        self.x = x if self.x is None else self.low(x, self.x, self.alpha(rate, cutoff))
        self.raw = x
        return self.x

    @staticmethod
    def low(x, before, alpha):
        return alpha * x + (1 - alpha) * before

    @staticmethod
    def alpha(rate, cutoff):
        tau, te = 1 / (2 * np.pi * cutoff), 1 / rate
        return 1 / (1 + tau / te)


def test_it_is_the_filter_of_the_paper(rng):
    values = np.cumsum(rng.normal(size=(50, 3)), axis=0)
    got = smoothing.one_euro(values, 30.0, 0.8, 0.3)
    for column in range(3):
        paper = PaperFilter(0.8, 0.3, smoothing.SPEED_CUTOFF_HZ)
        expected = [paper(x, 30.0) for x in values[:, column]]
        np.testing.assert_allclose(got[:, column], expected, rtol=1e-12)


def test_what_stands_still_stays_and_its_noise_goes(rng):
    noise = rng.normal(0, 0.01, (300, 4))
    np.testing.assert_array_equal(smoothing.one_euro(np.full((9, 2), 3.0), 30.0), 3.0)
    assert smoothing.one_euro(noise, 30.0)[30:].std() < 0.5 * noise[30:].std()


def test_fast_motion_is_followed_closely():
    values = np.concatenate([np.zeros(10), np.linspace(0, 4, 30), np.full(30, 4.0)])
    got = smoothing.one_euro(values, 30.0)
    assert np.abs(got - values).max() < 0.35
    assert got[-1] == pytest.approx(4, abs=0.01)


def sightings(poses, shapes, cams, places):
    thetas = np.concatenate([cams, poses, shapes], axis=1).astype(np.float32)
    return [
        Sighting(0, np.zeros(4), 1.0, place, theta)
        for place, theta in zip(places, thetas, strict=True)
    ]


def smooth_track(track, fps):
    unit = float(np.median([np.abs(s.camera.scale) for s in track]))
    return smoothing.TrackFilter(unit)(track, np.full(len(track), fps))


def test_a_turn_past_half_a_turn_does_not_jump():
    """The axis-angle vector of a root that turns steadily flips its sign at pi; the body not."""
    angles = np.linspace(np.pi - 0.5, np.pi + 0.5, 40)
    turns = Rotation.from_rotvec(np.outer(angles, [0, 1, 0]))
    poses = np.zeros((40, 72))
    poses[:, :3] = turns.as_rotvec()
    track = sightings(
        poses,
        np.zeros((40, 10)),
        np.tile([0.9, 0, 0], (40, 1)),
        [CropPlace(np.ones(2), np.zeros(2), 224)] * 40,
    )
    got = np.stack([s.theta for s in smooth_track(track, 30.0)])[:, 3:6]
    off = (turns.inv() * Rotation.from_rotvec(got)).magnitude()
    assert off.max() < 0.1


def test_noise_of_pose_and_camera_is_halved_though_every_crop_differs(rng):
    steps, fps = 120, 30.0
    places = [
        CropPlace(np.array([0.5, 0.502]) * rng.uniform(0.8, 1.2), rng.uniform(-40, 40, 2), 224)
        for _ in range(steps)
    ]
    still = np.array([300.0, 200.0])  # where the body's origin is in the picture, pixels
    cams = []
    for place in places:
        scale = 200 * np.exp(rng.normal(0, 0.02)) * np.sqrt(place.scale.prod())
        origin = (still + rng.normal(0, 3, 2)) * place.scale
        cams.append([scale / 112, *((origin - 112 - place.start) / scale)])
    pose = rng.normal(0, 0.3, 72)
    poses = pose + rng.normal(0, 0.03, (steps, 72))
    track = sightings(poses, rng.normal(0, 0.2, (steps, 10)), np.array(cams), places)
    smooth = smooth_track(track, fps)

    def spread(values):
        return np.std(np.array(values)[30:], axis=0).mean()

    def origins(some):
        return [s.camera.scale * s.camera.translation for s in some]

    assert spread(origins(smooth)) < 0.5 * spread(origins(track))
    assert spread([s.theta[3:75] for s in smooth]) < 0.5 * spread([s.theta[3:75] for s in track])
    assert spread([s.camera.scale[0] for s in smooth]) < 0.5 * spread(
        [s.camera.scale[0] for s in track]
    )
    np.testing.assert_allclose(np.mean(origins(smooth), axis=0), still, atol=2)


def test_pieces_are_filtered_as_the_whole(rng):
    values = np.cumsum(rng.normal(size=(50, 3)), axis=0)
    rates = rng.uniform(5, 60, 50)
    whole = smoothing.OneEuro()(values, rates)
    pieces = smoothing.OneEuro()
    got = [pieces(values[k : k + 7], rates[k : k + 7]) for k in range(0, 50, 7)]
    np.testing.assert_array_equal(np.concatenate(got), whole)


def test_a_video_is_filtered_at_the_times_of_its_frames(rng, tmp_path):
    """With uneven steps and a person who is away for a while, as the paper's filter does it."""
    times = np.cumsum(rng.uniform(0.01, 0.2, 40))
    there = np.flatnonzero(np.arange(40) % 7 != 3)
    shapes = np.cumsum(rng.normal(size=(40, 10)), axis=0)
    place = CropPlace(np.ones(2), np.zeros(2), 224)
    with SightingLog(tmp_path) as log:
        for k in range(40):
            theta = np.concatenate([[0.9, 0, 0], np.zeros(72), shapes[k]]).astype(np.float32)
            people = [Sighting(5, np.zeros(4), 1.0, place, theta)] if k in there else []
            log.append(times[k], people)
        smoothing.smooth_log(log)
        got = np.stack([s.theta[75:] for frame in log.frames() for s in frame])
    rates = 1 / np.diff(times[there], prepend=-1)
    for column in range(10):
        paper = PaperFilter(
            smoothing.MIN_CUTOFF_HZ, smoothing.SPEED_TO_CUTOFF, smoothing.SPEED_CUTOFF_HZ
        )
        values = shapes[there, column].astype(np.float32)
        expected = [paper(x, rate) for x, rate in zip(values, rates, strict=True)]
        np.testing.assert_allclose(got[:, column], expected, rtol=1e-5, atol=1e-5)
