"""Recovers the people in pictures through a server, and writes what the demo writes.

python -m hmr_tf2.client --server=localhost:8500 picture.jpg
"""

import dataclasses
import pathlib

from hmr_tf2 import commands
from hmr_tf2.capture.command import CaptureSettings, box_source, finish, folders_of, summary
from hmr_tf2.config import check_settings, setting

MESH_OUTPUTS = ("faces", "img_size")
# And `verts`, which a server may leave out.
BODY_OUTPUTS = ("theta", "cams", "joints", "joints3d", "rotations")


@dataclasses.dataclass(frozen=True)
class ClientSettings(CaptureSettings):
    """What to look at, whom to ask, and what to write."""

    img_path: str | None = setting(
        None,
        "A picture, a folder of them, or a pattern such as 'in/*.jpg'; --img_path= may be "
        "left out.",
        "input",
    )

    server: str | None = setting(None, "host:port of TF Serving.", "server")
    protocol: str = setting(
        "grpc", "gRPC is TF Serving's port 8500, REST 8501.", "server", choices=("grpc", "rest")
    )
    model_name: str = setting("hmr", "Name of the model on the server.", "server")
    deadline: float = setting(30.0, "Seconds that an answer may take.", "server", above=0)
    batch_size: int = setting(8, "People in one request.", "server", minimum=1)

    smpl_model_path: str | None = setting(
        None,
        "SMPL file of the served model; needed only where it was exported with --no_vertices.",
        "body",
    )

    out_dir: str = setting("client_out", "Folder for the results.", "output")

    def __post_init__(self):
        check_settings(self)
        if not self.img_path:
            raise ValueError("A picture is needed: ... --server=host:port picture.jpg")
        if not self.server:
            raise ValueError("--server=host:port is needed: where TF Serving listens.")
        host, _, port = self.server.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 2**16:
            raise ValueError(f"--server={self.server} must be host:port, such as localhost:8500.")


def main(settings: ClientSettings) -> None:
    from hmr_tf2.capture import picture_run, sources
    from hmr_tf2.capture.results_file import ResultsFile

    out = pathlib.Path(settings.out_dir)
    source = box_source(settings)
    files = sources.find_files(settings.img_path)
    films = [str(path) for path in files if sources.is_video(path)]
    if films:
        raise ValueError(f"{films[0]} is a video: hmr_tf2.demo takes these; the client, pictures.")
    if source is not None and source.is_for_one and len(files) > 1:
        raise ValueError(f"--bbox is for one picture; --img_path means {len(files)}.")
    predictor = remote_predictor(settings)
    folders = folders_of(files, out)
    with ResultsFile(out, predictor.faces, f"{settings.server}/{settings.model_name}") as results:
        picture_run.run(folders, predictor, source, results, settings.focal_length)
    print(summary(out, folders, results))
    finish(settings, folders, results)


def remote_predictor(settings: ClientSettings):
    """A `CropPredictor` whose network is the server's, asked for its mesh to see that it is there.

    Crops are sent rather than pictures: they are smaller, and the server sees the demo's pixels
    whatever the file's format.

    Raises:
        ValueError, OSError: the server or its model does not answer; it sends no vertices and
            there is no SMPL file to make them with.
    """
    import numpy as np

    from hmr_tf2.hmr.model import decode_theta
    from hmr_tf2.predictor import CropPredictor
    from hmr_tf2.serving import remote
    from hmr_tf2.smpl import SMPL

    connect = remote.grpc_caller if settings.protocol == "grpc" else remote.rest_caller
    call = connect(settings.server, settings.model_name, settings.deadline)
    model = f"The model {settings.model_name} at {settings.server}"
    try:
        mesh = _named(call("mesh", {"rows": np.zeros(1, np.float32)}), MESH_OUTPUTS, model)
    except remote.RefusedError as error:
        raise ValueError(
            f"{model} is none that this version of hmr_tf2.export wrote: {error}"
        ) from error
    faces, img_size = mesh["faces"][0].astype(np.int32), int(mesh["img_size"][0])
    smpl = SMPL(settings.smpl_model_path) if settings.smpl_model_path else None
    if smpl is None and not faces.size:
        raise ValueError(
            f"{model} was exported with --no_vertices: give the SMPL file that it was trained "
            "with as --smpl_model_path."
        )

    def network(images):
        answer = call("predict_crops", {"images": np.asarray(images)})
        names = BODY_OUTPUTS if smpl else (*BODY_OUTPUTS, "verts")
        outputs = {  # of REST, in float64
            name: value.astype(np.float32) for name, value in _named(answer, names, model).items()
        }
        if smpl:
            outputs["verts"] = decode_theta(smpl, outputs["theta"], img_size)["verts"]
        return outputs

    return CropPredictor(network, smpl.faces if smpl else faces, img_size, settings.batch_size)


def _named(outputs, names, model):
    """Those of the outputs.

    Raises:
        ValueError: one is missing.
    """
    if not set(names) <= set(outputs):
        raise ValueError(f"{model} is no HMR model: its outputs are {', '.join(sorted(outputs))}.")
    return {name: outputs[name] for name in names}


if __name__ == "__main__":
    commands.run(main, ClientSettings, __doc__, positional="img_path")
