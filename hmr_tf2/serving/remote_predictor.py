"""A predictor whose network runs on a server, so that the client can draw as the demo does."""

import numpy as np

from hmr_tf2.predictor import CropPredictor
from hmr_tf2.serving import remote
from hmr_tf2.smpl import SMPL
from hmr_tf2.theta import decode_theta

MESH_OUTPUTS = ("faces", "img_size")
# There is also `verts`, which a server may leave out.
BODY_OUTPUTS = ("theta", "cams", "joints", "joints3d", "rotations")


def remote_predictor(
    server: str,
    protocol: str = "grpc",
    model_name: str = "hmr",
    *,
    deadline: float = 30.0,
    batch_size: int = 8,
    smpl_model_path: str | None = None,
    keypoint_regressor: str | None = None,
) -> CropPredictor:
    """Connects to a served model, and asks for its mesh to see whether it is there.

    Crops are sent rather than pictures: they are smaller, and the server sees the same pixels as
    the demo, whatever the format of the file.

    Args:
        server: `host:port`.
        protocol: `grpc` or `rest`.
        model_name: the model's name on the server.
        deadline: seconds that each answer may take.
        batch_size: crops in one request.
        smpl_model_path: the SMPL file that the model was trained with; needed only where the
            server sends no vertices.
        keypoint_regressor: the file of the SMPL file's keypoints, if that has none.

    Raises:
        ValueError, OSError: the server or its model does not answer, or it sends no vertices and
            there is no SMPL file to make them with.
    """
    connect = remote.grpc_caller if protocol == "grpc" else remote.rest_caller
    call = connect(server, model_name, deadline)
    model = f"The model {model_name} at {server}"
    faces, img_size = _mesh(call, model)
    smpl = None
    if smpl_model_path:
        smpl = SMPL(smpl_model_path, keypoint_regressor=keypoint_regressor)
    if smpl is None and not faces.size:
        raise ValueError(
            f"{model} was exported with --no_vertices: give the SMPL file that it was trained "
            "with as --smpl_model_path."
        )

    def network(images):
        answer = call("predict_crops", {"images": np.asarray(images)})
        names = BODY_OUTPUTS if smpl else (*BODY_OUTPUTS, "verts")
        outputs = {  # REST answers in float64
            name: value.astype(np.float32) for name, value in _named(answer, names, model).items()
        }
        if smpl:
            outputs["verts"] = decode_theta(smpl, outputs["theta"], img_size)["verts"]
        return outputs

    return CropPredictor(network, smpl.faces if smpl else faces, img_size, batch_size)


def _mesh(call, model) -> tuple[np.ndarray, int]:
    """Triangles int32 [F, 3] and the side of a crop, pixels."""
    try:
        mesh = _named(call("mesh", {"rows": np.zeros(1, np.float32)}), MESH_OUTPUTS, model)
    except remote.RefusedError as error:
        raise ValueError(
            f"{model} was not written by this version of hmr_tf2.export: {error}"
        ) from error
    return mesh["faces"][0].astype(np.int32), int(mesh["img_size"][0])


def _named(outputs, names, model):
    """Picks some outputs; raises ValueError if one is missing."""
    if not set(names) <= set(outputs):
        raise ValueError(
            f"{model} is not an HMR model: its outputs are {', '.join(sorted(outputs))}."
        )
    return {name: outputs[name] for name in names}
