"""Motions like those of motion capture: walking, running, reaching, squatting, sitting and more.

See `joint_angles` for what an angle of a joint means.
"""

from collections.abc import Callable

import numpy as np
from scipy.interpolate import CubicSpline

from hmr_tf2.standin import skeleton
from hmr_tf2.standin.joint_angles import Angles, between, limits, mirrored, to_poses, wave

FPS = 30


def clip(
    kind: str,
    num_frames: int,
    rng: np.random.Generator,
    fps: float = FPS,
    turn: float = np.pi,
) -> np.ndarray:
    """float64 [num_frames, 72]: a smooth motion of `kind`, the root upright and facing anywhere.

    Args:
        kind: one of `KINDS`.
        num_frames: its length.
        rng: draws style, speed and phase.
        fps: frames per second.
        turn: how far (radians) the body may face away from +z at first.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no motion {kind!r}; there are {', '.join(KINDS)}.")
    times = rng.uniform(0, 60) + np.arange(num_frames) / fps
    angles = Angles(times)
    KINDS[kind](angles, times, rng)
    _sway(angles, times, rng)
    angles.values[:, 0, 1] += rng.uniform(-turn, turn) + 0.3 * wave(times, rng, 0.1)
    return to_poses(angles.limited())


def _sway(angles, times, rng):
    """The small movements that every body makes, standing or moving."""
    for joint in ("spine1", "spine2", "spine3", "neck", "head"):
        angles.add(joint, *(np.deg2rad(4) * wave(times, rng, 0.3) for _ in range(3)))
    for side in ("left_", "right_"):
        angles.add(side + "wrist", 0.3 * wave(times, rng, 0.3), 0, 0.3 * wave(times, rng, 0.3))
        angles.add(side + "collar", 0, 0.08 * wave(times, rng, 0.2), 0.08 * wave(times, rng, 0.2))
    angles.add("head", y=np.deg2rad(25) * wave(times, rng, 0.15))
    angles.add("hand", z=rng.uniform(-0.4, 0.0))
    angles.values[:, 0, 0] += 0.05 * wave(times, rng, 0.2)
    angles.values[:, 0, 2] += 0.04 * wave(times, rng, 0.2)


def _stand(angles, times, rng):
    _arms_down(angles, times, rng)
    shift = wave(times, rng, 0.1)
    angles.add("hip", x=-0.05, z=rng.uniform(0.02, 0.15))
    for side, sign in (("left_", 1), ("right_", -1)):
        bend = np.maximum(sign * shift, 0) * 0.25
        angles.add(side + "hip", x=-bend, y=rng.uniform(0, 0.2))
        angles.add(side + "knee", x=0.05 + 1.9 * bend)
        angles.add(side + "ankle", x=-0.9 * bend)
    if rng.random() < 0.4:  # hands on the hips, arms crossed, a phone at the ear
        side = rng.choice(["left_", "right_"])
        angles.add(side + "shoulder", y=between(times, rng, 0.1, -25, 5), z=0.35)
        angles.add(side + "elbow", y=between(times, rng, 0.1, -125, -75))


def _arms_down(angles, times, rng, swing=0.0):
    for side, sign in (("left_", 1), ("right_", -1)):
        angles.add(
            side + "shoulder",
            x=sign * swing + 0.1 * wave(times, rng, 0.2),
            z=-np.deg2rad(rng.uniform(62, 78)) + 0.08 * wave(times, rng, 0.2),
        )
        angles.add(side + "elbow", y=-np.deg2rad(rng.uniform(8, 40)) - 0.1 * np.abs(swing))


def _stride(angles, times, rng, rate, hip, knee, lean, elbow):
    """Walking and running: legs and arms swing against each other."""
    phase = 2 * np.pi * (rate * times + rng.random())
    for side, shift in (("left_", 0.0), ("right_", np.pi)):
        p = phase + shift
        angles.add(side + "hip", x=-hip * np.sin(p) - 0.25 * hip, z=0.03)
        lifted = np.maximum(np.sin(p + 1.9), 0) ** 2
        angles.add(side + "knee", x=0.1 + knee * (0.15 + lifted) - 0.1 * np.sin(p))
        angles.add(side + "ankle", x=0.25 * np.sin(p + 2.6) - 0.05)
        angles.add(side + "foot", x=-0.3 * np.maximum(np.sin(p + 2.4), 0))
        angles.add(side + "elbow", y=-elbow * (1 + 0.25 * np.sin(p + np.pi)))
    angles.add("spine1", x=lean, y=0.12 * np.sin(phase))
    angles.add("spine3", x=lean / 2, y=-0.2 * np.sin(phase))
    _arms_down(angles, times, rng, swing=0.8 * hip * np.sin(phase))
    angles.values[:, 0, 1] -= 0.08 * np.sin(phase)
    angles.values[:, 0, 2] += 0.03 * np.sin(phase)


def _walk(angles, times, rng):
    rate = rng.uniform(0.7, 1.1)
    _stride(angles, times, rng, rate, rng.uniform(0.3, 0.5), rng.uniform(0.7, 1.0), 0.03, 0.2)


def _run(angles, times, rng):
    rate = rng.uniform(1.2, 1.6)
    _stride(angles, times, rng, rate, rng.uniform(0.6, 0.9), rng.uniform(1.1, 1.5), 0.15, 1.1)


def _reach(angles, times, rng):
    """One or both hands go up, forward or across; the trunk follows."""
    _stand_still(angles, rng)
    for side in ("left_", "right_"):
        if rng.random() < 0.7:
            angles.add(
                side + "shoulder",
                x=between(times, rng, 0.25, -50, 20),
                y=between(times, rng, 0.25, -100, 10),
                z=between(times, rng, 0.25, -60, 65),
            )
            angles.add(side + "collar", z=between(times, rng, 0.25, -5, 22))
            angles.add(side + "elbow", y=between(times, rng, 0.3, -100, -5))
        else:
            angles.add(side + "shoulder", z=np.deg2rad(-70))
            angles.add(side + "elbow", y=between(times, rng, 0.2, -60, -5))
    for joint in ("spine1", "spine2", "spine3"):
        angles.add(
            joint,
            between(times, rng, 0.2, -8, 16),
            between(times, rng, 0.2, -12, 12),
            between(times, rng, 0.2, -8, 8),
        )


def _stand_still(angles, rng):
    angles.add("hip", x=-rng.uniform(0, 0.2), y=0.1, z=rng.uniform(0.03, 0.2))
    angles.add("knee", x=rng.uniform(0.02, 0.4))
    angles.add("ankle", x=-rng.uniform(0, 0.2))


def _crouch(angles, depth, rng):
    """Both knees bent by `depth` [T] in [0, 1], the trunk leaning to keep the balance."""
    angles.add("hip", x=-1.7 * depth, y=rng.uniform(0, 0.3), z=rng.uniform(0.05, 0.35) * depth)
    angles.add("knee", x=2.1 * depth)
    angles.add("ankle", x=-0.42 * depth)
    angles.values[:, 0, 0] += 0.55 * depth
    angles.add("spine1", x=0.15 * depth)
    angles.add("neck", x=-0.35 * depth)


def _squat(angles, times, rng):
    rate = rng.uniform(0.3, 0.6)
    depth = rng.uniform(0.5, 1) * (0.5 - 0.5 * np.cos(2 * np.pi * (rate * times + rng.random())))
    _crouch(angles, depth, rng)
    angles.add("shoulder", y=-1.2 * depth, z=-1.15 * (1 - depth) - 0.1)
    angles.add("elbow", y=-rng.uniform(0.1, 1.2) * (0.3 + 0.7 * depth))


def _sit(angles, times, rng):
    """On a chair or on the floor; hands on the lap or talking."""
    low = rng.random() < 0.25
    angles.add(
        "hip",
        x=np.deg2rad(-105 if low else -85) + 0.1 * wave(times, rng, 0.1),
        z=rng.uniform(0, 0.4),
        y=rng.uniform(-0.1, 0.4),
    )
    for side in ("left_", "right_"):
        bend = rng.uniform(15, 130) if low else rng.uniform(65, 105)
        angles.add(side + "knee", x=np.deg2rad(bend) + 0.15 * wave(times, rng, 0.15))
    angles.values[:, 0, 0] += -0.15 + 0.15 * wave(times, rng, 0.1)
    angles.add("spine1", x=rng.uniform(0, 0.35))
    angles.add("spine3", x=rng.uniform(0, 0.2))
    for side in ("left_", "right_"):
        angles.add(side + "shoulder", x=between(times, rng, 0.2, -50, -5), z=-1.15)
        angles.add(side + "elbow", y=between(times, rng, 0.25, -100, -30))


def _jump(angles, times, rng):
    """Crouch, fly stretched with the arms up, land; again and again (some are star jumps)."""
    phase = 2 * np.pi * (rng.uniform(0.5, 0.8) * times + rng.random())
    depth = 0.6 * np.maximum(np.sin(phase), 0) ** 2
    flight = np.maximum(-np.sin(phase), 0)
    _crouch(angles, depth, rng)
    star = rng.uniform(0, 0.6)
    angles.add("hip", z=star * flight)
    angles.add("ankle", x=0.6 * flight)
    up = rng.uniform(0.8, 2.2)
    angles.add("shoulder", x=-0.5 * flight + 0.6 * depth, z=-1.2 + up * flight)
    angles.add("elbow", y=-0.3 - 0.6 * depth)


def _dance(angles, times, rng):
    """Flowing changes between random postures, weight on bent or straight legs."""
    _through_postures(angles, times, rng, seconds=rng.uniform(0.5, 1.2), extent=0.6)
    angles.values[:, 0] += 0.25 * np.stack([wave(times, rng, 0.4) for _ in range(3)], axis=1)


def _extremes(angles, times, rng):
    """From one end of the joints' ranges to the other, as in the joint-limit recordings."""
    _through_postures(angles, times, rng, seconds=1.5, extent=0.95)


def _through_postures(angles, times, rng, seconds, extent):
    low, high = limits()
    knots = np.arange(times[0] - seconds, times[-1] + 2 * seconds, seconds)
    mean = np.zeros((24, 3))
    for name, turn in (("shoulder", (0, 0, -0.8)), ("elbow", (0, -0.5, 0)), ("knee", (0.3, 0, 0))):
        for side in ("left_", "right_"):
            mean[skeleton.index(side + name)] = np.array(turn) * mirrored(side)
    share = extent * rng.beta(1.2, 1.2, (len(knots), 24, 3))
    target = low + (high - low) * rng.integers(0, 2, (len(knots), 24, 3))
    postures = mean + share * rng.random((len(knots), 24, 1)) * (target - mean)
    angles.values += CubicSpline(knots, postures, axis=0, bc_type="natural")(times)


KINDS: dict[str, Callable] = {
    "stand": _stand,
    "walk": _walk,
    "run": _run,
    "reach": _reach,
    "squat": _squat,
    "sit": _sit,
    "jump": _jump,
    "dance": _dance,
    "extremes": _extremes,
}


def random_pose(rng: np.random.Generator, kinds=None, turn: float = np.pi) -> np.ndarray:
    """float64 [72]: one moment of a random motion, root upright, facing +z up to `turn`."""
    kinds = kinds or [kind for kind in KINDS if kind != "extremes"]
    return clip(str(rng.choice(kinds)), 1, rng, turn=turn)[0]
