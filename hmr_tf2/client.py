"""Recovers the people in pictures through a server, and writes what the demo writes.

python -m hmr_tf2.client --server=localhost:8500 picture.jpg
"""

import dataclasses

from hmr_tf2 import commands
from hmr_tf2.capture.command import (
    CaptureSettings,
    box_source,
    check_for_one,
    finish,
    folders_of,
    summary,
)
from tfrecords_tools.files import check_folder
from tfrecords_tools.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class ClientSettings(CaptureSettings):
    """What to look at, which server to ask, and what to write."""

    img_path: str | None = setting(
        None,
        "Picture to read, a folder of pictures, or a pattern such as 'in/*.jpg'; the name "
        "--img_path= may be left out.",
        "input",
    )

    server: str | None = setting(None, "Address of TF Serving as host:port.", "server")
    protocol: str = setting(
        "grpc",
        "Protocol to use: by default TF Serving has gRPC at port 8500 and REST at 8501.",
        "server",
        choices=("grpc", "rest"),
    )
    model_name: str = setting("hmr", "Name of the model on the server.", "server")
    deadline: float = setting(30.0, "Seconds to wait for each answer.", "server", above=0)
    batch_size: int = setting(8, "Number of people per request.", "server", minimum=1)

    smpl_model_path: str | None = setting(
        None,
        "Path of the served model's SMPL file; needed only if the model was exported with "
        "--no_vertices.",
        "body",
    )
    keypoint_regressor: str | None = setting(
        None,
        "File of the keypoints, for an SMPL file that has none.",
        "body",
    )

    out_dir: str = setting("client_out", "Folder to write the results to.", "output")

    def __post_init__(self):
        check_settings(self)
        if not self.img_path:
            raise ValueError("A picture is needed, as in: --server=host:port picture.jpg")
        if not self.server:
            raise ValueError("--server=host:port is needed: the address of TF Serving.")
        host, _, port = self.server.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 2**16:
            raise ValueError(f"--server={self.server} must be host:port, such as localhost:8500.")


def main(settings: ClientSettings) -> None:
    from hmr_tf2.capture import picture_run, sources
    from hmr_tf2.capture.results_file import ResultsFile
    from hmr_tf2.serving.remote_predictor import remote_predictor

    out = check_folder(settings.out_dir)
    source = box_source(settings)
    files = sources.find_files(settings.img_path)
    films = [str(path) for path in files if sources.is_video(path)]
    if films:
        raise ValueError(
            f"{films[0]} is a video, but the client takes only pictures; use hmr_tf2.demo for it."
        )
    check_for_one(settings, source, files)
    predictor = remote_predictor(
        settings.server,
        settings.protocol,
        settings.model_name,
        deadline=settings.deadline,
        batch_size=settings.batch_size,
        smpl_model_path=settings.smpl_model_path,
        keypoint_regressor=settings.keypoint_regressor,
    )
    folders = folders_of(files, out)
    model = f"{settings.server}/{settings.model_name}"
    with ResultsFile(out, predictor.faces, model, files) as results:
        picture_run.run(folders, predictor, source, results, settings.focal_length)
    print(summary(out, folders, results))
    finish(settings, folders, results)


if __name__ == "__main__":
    commands.run(main, ClientSettings, __doc__, positional="img_path")
