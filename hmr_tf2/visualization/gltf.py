"""Binary glTF 2.0 (GLB): one body as a mesh, or a body that moves, with its bones.

Axes are glTF's: x right, y up, z towards the eye; metres and seconds.
"""

import json
import os
import struct

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_tf2.visualization.mesh_files import TO_Y_UP
from hmr_tf2.visualization.motion import Motion, check_finite
from hmr_tf2.visualization.renderer import BODY_COLOR, vertex_normals
from tfrecords_tools import joints as joint_orders
from tfrecords_tools.files import write_bytes

ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
_COMPONENT_TYPES = {"float32": 5126, "uint32": 5125, "uint16": 5123}
_SHAPES = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_NEAR_M = 0.01


def write_body(
    path: str | os.PathLike, vertices, faces, translation, size, focal_length, color=BODY_COLOR
) -> None:
    """Writes one body and the camera that saw it, through which it looks as in the picture.

    Args:
        path: the GLB file; it appears when it is complete.
        vertices: float [V, 3], metres, camera axes (y down, z away).
        faces: int [F, 3].
        translation: float [3], of the body in camera axes, metres.
        size: (width, height) of the picture.
        focal_length: focal length in pixels.
        color: RGB in [0, 1].
    """
    file = _File(color)
    file.mesh(vertices * TO_Y_UP, faces)
    file.node("body", mesh=0, translation=(TO_Y_UP * translation).tolist())
    file.node("camera", camera=file.camera(size, focal_length))
    file.document["scenes"] = [{"nodes": [0, 1]}]
    file.write(path)


def write_motion(
    path: str | os.PathLike, motion: Motion, rig, size, focal_length, color=BODY_COLOR
) -> None:
    """Writes a moving body: mesh, skeleton, skin and one animation with its path.

    glTF's skinning mixes at most four bones per vertex (SMPL has no more) and has no corrective
    shapes, so that bent elbows and knees are a little thinner than in SMPL.

    Args:
        path: the GLB file; it appears when it is complete.
        motion: see `Motion`.
        rig: anything with `faces`, `parents` and `weights` (hmr_tf2.smpl.rig.Rig).
        size: (width, height) of the picture.
        focal_length: focal length in pixels.
        color: RGB in [0, 1].

    Raises:
        ValueError: a number is not finite.
        NotWrittenError: the file cannot be written.
    """
    check_finite(motion, path)
    file = _File(color)
    bones, shares = _strongest_bones(rig.weights)
    file.mesh(
        motion.vertices,
        rig.faces,
        JOINTS_0=file.accessor(bones, ARRAY_BUFFER),
        WEIGHTS_0=file.accessor(shares, ARRAY_BUFFER),
    )
    file.skeleton(motion.joints, np.asarray(rig.parents))
    num_joints = len(motion.joints)
    file.node("body", mesh=0, skin=0)
    file.node("camera", camera=file.camera(size, focal_length))
    file.document.update(
        skins=[file.skin(motion.joints)],
        animations=[file.animation(motion)],
        scenes=[{"nodes": [0, num_joints, num_joints + 1]}],
    )
    file.write(path)


class _File:
    """A glTF document and its one buffer while they are being built."""

    def __init__(self, color):
        self.document = {
            "asset": {"version": "2.0", "generator": "hmr_tf2"},
            "scene": 0,
            "nodes": [],
            "materials": [
                {
                    "pbrMetallicRoughness": {
                        "baseColorFactor": [*map(float, color), 1.0],
                        "metallicFactor": 0.0,
                        "roughnessFactor": 0.8,
                    }
                }
            ],
            "accessors": [],
            "bufferViews": [],
        }
        self._binary = bytearray()

    def accessor(self, array, target=None, has_bounds=False) -> int:
        """Appends an array; returns its number, by which the document refers to it."""
        array = np.ascontiguousarray(array)
        view = {"buffer": 0, "byteOffset": len(self._binary), "byteLength": array.nbytes}
        if target:
            view["target"] = target
        # glTF requires that numbers of four bytes start at multiples of four.
        self._binary += array.tobytes() + b"\0" * (-array.nbytes % 4)
        entry = {
            "bufferView": len(self.document["bufferViews"]),
            "count": len(array),
            "componentType": _COMPONENT_TYPES[array.dtype.name],
            "type": _SHAPES[array.shape[1:]],
        }
        if has_bounds:
            flat = array.reshape(len(array), -1)
            entry.update(min=flat.min(0).tolist(), max=flat.max(0).tolist())
        self.document["bufferViews"].append(view)
        self.document["accessors"].append(entry)
        return len(self.document["accessors"]) - 1

    def mesh(self, vertices, faces, **attributes):
        normals = vertex_normals(vertices, faces).astype(np.float32)
        # A vertex without a face has no normal, but glTF requires one of unit length.
        normals[~normals.any(axis=1)] = [0, 1, 0]
        self.document["meshes"] = [
            {
                "primitives": [
                    {
                        "attributes": {
                            "POSITION": self.accessor(
                                np.float32(vertices), ARRAY_BUFFER, has_bounds=True
                            ),
                            "NORMAL": self.accessor(normals, ARRAY_BUFFER),
                            **attributes,
                        },
                        "indices": self.accessor(
                            np.asarray(faces, np.uint32).ravel(), ELEMENT_ARRAY_BUFFER
                        ),
                        "material": 0,
                    }
                ]
            }
        ]

    def node(self, name, **content):
        self.document["nodes"].append({"name": name, **content})

    def skeleton(self, joints, parents):
        """A node for each joint, placed relative to its parent; joint j becomes node j."""
        for joint, name in enumerate(joint_orders.SMPL.names):
            children = np.flatnonzero(parents == joint)
            place = joints[joint] - (joints[parents[joint]] if joint else 0)
            more = {"children": children.tolist()} if len(children) else {}
            self.node(name, translation=place.astype(float).tolist(), **more)

    def skin(self, joints) -> dict:
        """Binds the mesh to the nodes of `skeleton`."""
        # In column-major order, as glTF stores matrices: the last row is the translation.
        unbind = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
        unbind[:, 3, :3] = -joints
        return {
            "inverseBindMatrices": self.accessor(unbind),
            "skeleton": 0,
            "joints": list(range(len(joints))),
        }

    def camera(self, size, focal_length) -> int:
        """A pinhole camera at the origin that looks along -z, as glTF's cameras do."""
        width, height = size
        self.document["cameras"] = [
            {
                "type": "perspective",
                "perspective": {
                    "yfov": float(2 * np.arctan2(height / 2, focal_length)),
                    "aspectRatio": width / height,
                    "znear": _NEAR_M,
                },
            }
        ]
        return 0

    def animation(self, motion) -> dict:
        """The rotations of every joint and the path of the root; joint j is node j."""
        times = np.float32(motion.times)
        # glTF requires that they rise, so of moments with one time only the last is a key.
        is_key = np.diff(times, append=np.float32(np.inf)) > 0
        times = self.accessor(times[is_key], has_bounds=True)
        tracks = [(0, "translation", np.float32(motion.root[is_key]))]
        for joint in range(len(motion.joints)):
            tracks.append((joint, "rotation", _quaternions(motion.rotations[is_key, joint])))
        return {
            "samplers": [
                {"input": times, "output": self.accessor(values)} for _, _, values in tracks
            ],
            "channels": [
                {"sampler": k, "target": {"node": node, "path": path}}
                for k, (node, path, _) in enumerate(tracks)
            ],
        }

    def write(self, path):
        self.document["buffers"] = [{"byteLength": len(self._binary)}]
        text = json.dumps(self.document, separators=(",", ":"), allow_nan=False).encode("ascii")
        text += b" " * (-len(text) % 4)
        chunks = b"".join(
            struct.pack("<I4s", len(content), kind) + content
            for kind, content in ((b"JSON", text), (b"BIN\0", bytes(self._binary)))
        )
        write_bytes(path, struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def _strongest_bones(weights):
    """uint16 [V, 4] and float32 [V, 4]: the four bones that move a vertex most, shares of 1."""
    bones = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    shares = np.take_along_axis(weights, bones, axis=1)
    # glTF requires bone 0 where the share is 0.
    bones = np.where(shares > 0, bones, 0).astype(np.uint16)
    return bones, (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def _quaternions(rotations):
    """float32 [T, 4] (x, y, z, w), each with the sign that is nearer to the moment before.

    q and -q are the same rotation, but a program that interpolates from one to the other would
    turn the joint the long way round.
    """
    q = Rotation.from_matrix(rotations).as_quat()
    turned = np.cumprod(np.where((q[1:] * q[:-1]).sum(axis=1) < 0, -1.0, 1.0))
    q[1:] *= turned[:, np.newaxis]
    return q.astype(np.float32)
