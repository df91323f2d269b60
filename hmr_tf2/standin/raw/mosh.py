"""MoSh pickles, protocol 2: `neutrSMPL_{CMU,jointLim,H3.6}/<subject>/<sequence>.pkl`."""

import functools
import pathlib
import pickle

import numpy as np

from hmr_tf2.standin import motion, people
from hmr_tf2.standin.raw.runner import Order

NUM_FRAMES = 60
_STREAM = 5
_CLIPS_PER_SUBJECT = 8
_MOTIONS = tuple(kind for kind in motion.KINDS if kind != "extremes")


def write_cmu(folder: pathlib.Path, order: Order):
    """Everyday motions, `order.people` clips: `poses` [T, 72], `betas` [10], `trans` [T, 3]."""
    jobs = range(order.people)
    order.run(functools.partial(_clip, folder, order, 0, _MOTIONS), jobs, "CMU", "clip")


def write_joint_limits(folder: pathlib.Path, order: Order):
    """Clips that go to the limits of the joints; one for every four of CMU."""
    jobs = range(max(1, order.people // 4))
    order.run(functools.partial(_clip, folder, order, 1, ("extremes",)), jobs, "jointLim", "clip")


def write_h36m(folder: pathlib.Path, order: Order):
    """Clips under Human3.6M's names, for use without that data set: `new_poses` and `betas`."""
    jobs = range(max(2, order.people // 4))
    order.run(functools.partial(_h36m_clip, folder, order), jobs, "H3.6", "clip")


def dump(path: pathlib.Path, content: dict):
    """Pickles `content` as the Python 2 that made the real files did."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        pickle.dump(content, file, protocol=2)


def _clip(folder, order, part, kinds, number):
    subject, take = divmod(number, _CLIPS_PER_SUBJECT)
    name = f"{subject + 1:02d}"
    rng = order.rng(_STREAM, part, number)
    poses = motion.clip(str(rng.choice(kinds)), NUM_FRAMES, rng)
    trans = np.cumsum(rng.normal(0, 0.01, (NUM_FRAMES, 3)), axis=0)
    betas = people.random_shape(order.rng(_STREAM, part, 10_000 + subject))
    dump(
        folder / name / f"{name}_{take + 1:02d}_poses.pkl",
        {"poses": poses, "betas": betas, "trans": trans},
    )


def _h36m_clip(folder, order, number):
    subjects, actions = (1, 5, 6, 7, 8), ("Walking", "Eating", "Posing", "Sitting", "Greeting")
    rng = order.rng(_STREAM, 2, number)
    subject, rest = subjects[number % len(subjects)], number // len(subjects)
    action = actions[rest // 4 % len(actions)]
    take = f"{action} {rest // (4 * len(actions)) + 1}"
    poses = motion.clip(str(rng.choice(_MOTIONS)), NUM_FRAMES, rng, fps=10)
    betas = people.random_shape(order.rng(_STREAM, 3, subject))
    dump(
        folder / f"S{subject}" / f"{take}_cam{rest % 4}_aligned.pkl",
        {"new_poses": poses, "betas": betas},
    )
