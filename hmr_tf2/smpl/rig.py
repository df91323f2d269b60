"""The body as a character rig in NumPy: mesh, bones and weights, to export for animation."""

from typing import NamedTuple

import numpy as np

from hmr_tf2.smpl.body_model import NUM_BETAS
from hmr_tf2.smpl.model_file import load_body


class Rig(NamedTuple):
    """A body of mean shape in its rest pose, in metres; V vertices, F faces, 24 joints.

    `faces` is int32 [F, 3]; `parents` int32 [24], -1 for the root; `weights` float32 [V, 24], the
    share of each bone in a vertex; `vertices` [V, 3] and `joints` [24, 3] are those of the mean
    shape, and `vertex_dirs` [10, V, 3] and `joint_dirs` [10, 24, 3] what one unit of each beta
    adds to them.
    """

    faces: np.ndarray
    parents: np.ndarray
    weights: np.ndarray
    vertices: np.ndarray
    vertex_dirs: np.ndarray
    joints: np.ndarray
    joint_dirs: np.ndarray

    def shaped(self, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vertices [..., V, 3] and joints [..., 24, 3] in the rest pose for betas [..., 10]."""
        return (
            self.vertices + np.tensordot(beta, self.vertex_dirs, 1),
            self.joints + np.tensordot(beta, self.joint_dirs, 1),
        )


def load_rig(path: str) -> Rig:
    """The rig of an SMPL file, which needs no keypoints; raises what `load_body` raises."""
    body = load_body(path)
    regressor = body["J_regressor"]
    regressor = np.asarray(regressor.todense() if hasattr(regressor, "todense") else regressor)
    vertex_dirs = np.moveaxis(body["shapedirs"][..., :NUM_BETAS], -1, 0)
    return Rig(
        faces=body["f"].astype(np.int32),
        parents=np.array([-1, *body["kintree_table"][0, 1:]], np.int32),
        weights=body["weights"].astype(np.float32),
        vertices=body["v_template"].astype(np.float32),
        vertex_dirs=vertex_dirs.astype(np.float32),
        joints=(regressor @ body["v_template"]).astype(np.float32),
        joint_dirs=np.einsum("jv,dvc->djc", regressor, vertex_dirs).astype(np.float32),
    )
