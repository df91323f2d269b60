"""The files that run TensorFlow's model server over an export: models, batching, monitoring."""

import json
import os
import pathlib
import re

from tfrecords_tools.files import write_text
from tfrecords_tools.paths import is_address, path_of

FOLDER = "server"
BATCHING_FILE = "batching_parameters.txt"
# Of the older stack's TensorFlow, which reads the exports of both (tests/test_stacks.py).
IMAGE = "tensorflow/serving:2.15.1"

BATCHING = """\
# Requests that arrive within the timeout are run as one batch, padded up to an allowed size.
max_batch_size { value: 32 }
batch_timeout_micros { value: 5000 }
max_enqueued_batches { value: 64 }
num_batch_threads { value: 2 }
allowed_batch_sizes: 1
allowed_batch_sizes: 2
allowed_batch_sizes: 4
allowed_batch_sizes: 8
allowed_batch_sizes: 16
allowed_batch_sizes: 32
"""

MODELS = """\
model_config_list {{
  config {{
    name: {name}
    base_path: {base_path}
    model_platform: "tensorflow"
    model_version_policy {{ latest {{ num_versions: 1 }} }}
  }}
}}
"""

MONITORING = """\
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""

COMPOSE = """\
# docker compose -f docker-compose.yml up
services:
  tensorflow-serving:
    image: {image}
    # There is no image for ARM: without this line Docker refuses there, with it it emulates.
    platform: linux/amd64
    ports:
      - "8500:8500"  # gRPC
      - "8501:8501"  # REST, and /monitoring/prometheus/metrics
{volumes}\
    # The image's own entry point serves one model without a file of models.
    entrypoint: ["/usr/bin/tensorflow_model_server"]
    command:
      - --port=8500
      - --rest_api_port=8501
      - --model_config_file={folder}/models.config
      - --model_config_file_poll_wait_seconds=60
      - --enable_batching=true
      - --batching_parameters_file={folder}/batching_parameters.txt
      - --monitoring_config_file={folder}/monitoring.config
    restart: unless-stopped
"""

# Not for an address such as gs://bucket/hmr, which the server reads itself.
VOLUMES = """\
    volumes:
      - type: bind
        source: ..
        target: {base_path}
        read_only: true
"""


def write_server_files(export_dir: str | os.PathLike) -> pathlib.Path:
    """Writes the files that are missing in `<export_dir>/server/`; existing ones are kept.

    The model is served under the name of `export_dir`.

    Returns:
        The folder.
    """
    export_dir = path_of(export_dir)
    folder = export_dir / FOLDER
    folder.mkdir(exist_ok=True)
    is_remote = is_address(export_dir)
    base_path = str(export_dir) if is_remote else f"/models/{served_name(export_dir)}"
    files = {
        BATCHING_FILE: BATCHING,
        "models.config": MODELS.format(
            name=json.dumps(served_name(export_dir)), base_path=json.dumps(base_path)
        ),
        "monitoring.config": MONITORING,
        "docker-compose.yml": COMPOSE.format(
            image=IMAGE,
            volumes="" if is_remote else VOLUMES.format(base_path=base_path),
            folder=f"{base_path}/{FOLDER}",
        ),
    }
    for name, text in files.items():
        if not (folder / name).exists():
            write_text(folder / name, text)
    return folder


def served_name(export_dir: str | os.PathLike) -> str:
    """The model's name: that of the folder of versions, in characters safe in a URL and YAML."""
    return re.sub(r"[^\w.-]", "_", path_of(export_dir).resolve().name, flags=re.A) or "hmr"


def batch_sizes(export_dir: str | os.PathLike) -> list[int]:
    """The sizes that the batching file allows.

    Raises:
        ValueError: the file names none.
    """
    path = path_of(export_dir) / FOLDER / BATCHING_FILE
    text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
    sizes = sorted({int(size) for size in re.findall(r"allowed_batch_sizes\s*:\s*(\d+)", text)})
    if not sizes or sizes[0] < 1:
        raise ValueError(
            f"{path} must name its allowed_batch_sizes, each at least 1, because the export "
            "writes a warm-up request for each."
        )
    return sizes
