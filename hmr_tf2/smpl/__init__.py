"""The SMPL body model."""

from hmr_tf2.smpl.body_model import SMPL
from hmr_tf2.smpl.kinematics import batch_global_rigid_transformation, plain_gradient
from hmr_tf2.smpl.model_file import load_body, load_mean_params, load_smpl_file, mean_theta
from hmr_tf2.smpl.posed_body import PosedBody
from hmr_tf2.smpl.rotations import batch_rodrigues

__all__ = [
    "SMPL",
    "PosedBody",
    "batch_global_rigid_transformation",
    "batch_rodrigues",
    "load_body",
    "load_mean_params",
    "load_smpl_file",
    "mean_theta",
    "plain_gradient",
]
