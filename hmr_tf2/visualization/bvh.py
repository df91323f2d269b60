"""BVH files: a skeleton and its motion, for Blender, Maya, MotionBuilder and others."""

import os

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_tf2.visualization.motion import Motion
from tfrecords_tools import joints as joint_orders
from tfrecords_tools.files import write_text

CENTIMETRES = 100.0
# Channels in this order mean R = Rz Rx Ry.
ORDER = "ZXY"
_TURNS = " ".join(f"{axis}rotation" for axis in ORDER)
# A bone without a joint at its end gets this share of the length of the bone before it.
_END_SHARE = 0.5


def write_bvh(path: str | os.PathLike, motion: Motion, parents: np.ndarray, fps: float) -> None:
    """Writes a motion; it appears under its name when it is complete.

    Lengths are centimetres and angles degrees, as most programs take BVH; y is up.

    Args:
        path: the BVH file.
        motion: the motion, one moment per frame.
        parents: int [24], -1 for the root.
        fps: frames per second.
    """
    offsets = CENTIMETRES * _offsets(motion.joints, parents)
    order, lines = [], ["HIERARCHY"]
    _describe(0, np.asarray(parents), offsets, 0, order, lines)
    angles = Rotation.from_matrix(motion.rotations.reshape(-1, 3, 3)).as_euler(ORDER, degrees=True)
    angles = angles.reshape(len(motion.rotations), -1, 3)[:, order]
    rows = np.concatenate([CENTIMETRES * motion.root, angles.reshape(len(angles), -1)], axis=1)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / fps:.8f}"]
    lines += [" ".join(f"{value:.5f}" for value in row) for row in rows]
    write_text(path, "\n".join(lines) + "\n", encoding="ascii")


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
