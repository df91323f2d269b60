"""BVH files: a skeleton and its motion, for Blender, Maya, MotionBuilder and others."""

import os

import numpy as np

from hmr_tf2.visualization.euler import zxy_angles
from hmr_tf2.visualization.motion import Motion, check_finite, resampled
from tfrecords_tools import joints as joint_orders
from tfrecords_tools.files import replacing

CENTIMETRES = 100.0
# Channels in this order mean R = Rz Rx Ry.
ORDER = "ZXY"
_TURNS = " ".join(f"{axis}rotation" for axis in ORDER)
# A bone without a joint at its end gets this share of the length of the bone before it.
_END_SHARE = 0.5
# Frames that are made at once, so that memory does not grow with the length.
_BLOCK = 512


def write_bvh(path: str | os.PathLike, motion: Motion, parents: np.ndarray, fps: float) -> None:
    """Writes a motion; it appears under its name when it is complete.

    Lengths are centimetres and angles degrees, as most programs take BVH; y is up. A BVH file has
    no times, only a rate: a motion in other steps is resampled. Programs interpolate each angle on
    its own, so angles go on beyond 180 degrees instead of jumping to -180.

    Args:
        path: the BVH file.
        motion: the motion.
        parents: int [24], -1 for the root.
        fps: frames per second.

    Raises:
        ValueError: a number is not finite.
        NotWrittenError: the file cannot be written.
    """
    check_finite(motion, path)
    motion = resampled(motion, fps)
    offsets = CENTIMETRES * _offsets(motion.joints, parents)
    order, lines = [], ["HIERARCHY"]
    _describe(0, np.asarray(parents), offsets, 0, order, lines)
    lines += ["MOTION", f"Frames: {len(motion.times)}", f"Frame Time: {1 / fps:.8f}"]
    with replacing(path) as partial, open(partial, "w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
        for rows in _blocks_of_rows(motion, order):
            line = " ".join(["%.5f"] * rows.shape[1]) + "\n"
            file.writelines(line % tuple(row) for row in rows.tolist())


def _blocks_of_rows(motion, order):
    """Yields the numbers of some frames at a time [N, 3 + 3 * 24], the joints in `order`."""
    before = None
    for start in range(0, len(motion.times), _BLOCK):
        block = slice(start, start + _BLOCK)
        angles = zxy_angles(motion.rotations[block], before)
        before = angles[-1]
        turns = np.degrees(angles[:, order]).reshape(len(angles), -1)
        rows = np.concatenate([CENTIMETRES * motion.root[block], turns], axis=1)
        yield np.round(rows, 5) + 0.0  # which makes 0 of -0


def _offsets(joints, parents):
    """float [24, 3]: from parent to joint; zero for the root, whose channels say where it is."""
    offsets = np.zeros_like(joints, dtype=np.float64)
    offsets[1:] = joints[1:] - joints[np.asarray(parents)[1:]]
    return offsets


def _describe(joint, parents, offsets, depth, order, lines):
    """Appends the lines of `joint` and of all below it, and their numbers to `order`."""
    order.append(joint)
    indent, name = "\t" * depth, joint_orders.SMPL.names[joint]
    is_root = depth == 0
    channels = f"6 Xposition Yposition Zposition {_TURNS}" if is_root else f"3 {_TURNS}"
    lines += [
        f"{indent}{'ROOT' if is_root else 'JOINT'} {name}",
        f"{indent}{{",
        f"{indent}\t{_offset(offsets[joint])}",
        f"{indent}\tCHANNELS {channels}",
    ]
    children = np.flatnonzero(parents == joint)
    for child in children:
        _describe(int(child), parents, offsets, depth + 1, order, lines)
    if not len(children):
        lines += [
            f"{indent}\tEnd Site",
            f"{indent}\t{{",
            f"{indent}\t\t{_offset(_END_SHARE * offsets[joint])}",
            f"{indent}\t}}",
        ]
    lines.append(f"{indent}}}")


def _offset(values):
    return "OFFSET " + " ".join(f"{value:.5f}" for value in values)
