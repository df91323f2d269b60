"""What the server finds beside the model: warm-up requests and its own files."""

import re

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from hmr_tf2.serving import server_files, signatures, warmup


@pytest.fixture(scope="module")
def requests(exported):
    records = tf.data.TFRecordDataset(str(exported / warmup.WARMUP_FILE)).as_numpy_iterator()
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    return [log.predict_log.request for log in logs]


def test_every_signature_is_warmed_up_at_every_batch_size_of_the_batching_file(exported, requests):
    sizes = server_files.batch_sizes(exported.parent)
    assert sizes == [1, 2, 4, 8, 16, 32]
    found = [
        (request.model_spec.signature_name, value.tensor_shape.dim[0].size)
        for request in requests
        for value in list(request.inputs.values())[:1]
    ]
    assert sorted(found) == sorted((s, b) for s in signatures.SIGNATURES for b in sizes)
    assert {request.model_spec.name for request in requests} == {"hmr"}
    assert (exported / warmup.WARMUP_FILE).stat().st_size < 2**20


def test_warm_up_requests_replayed_are_valid(loaded, requests):
    for request in requests:
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        batch = len(next(iter(inputs.values())))
        if batch <= 2:  # the others repeat the same rows
            function = loaded.signatures[request.model_spec.signature_name]
            out = function(**{name: tf.constant(value) for name, value in inputs.items()})
            assert {len(value) for value in out.values()} == {batch}
            if request.model_spec.signature_name in signatures.BODY_SIGNATURES:
                assert out["valid"].numpy().all() and np.isfinite(out["verts"]).all()


def test_what_one_edited_is_kept_and_its_sizes_are_warmed_up(tmp_path):
    folder = server_files.write_server_files(tmp_path)
    edited = "max_batch_size { value: 3 }\nallowed_batch_sizes: 3 # not allowed_batch_sizes: 9\n"
    (folder / server_files.BATCHING_FILE).write_text(edited)
    server_files.write_server_files(tmp_path)
    assert (folder / server_files.BATCHING_FILE).read_text() == edited
    assert server_files.batch_sizes(tmp_path) == [3]
    (folder / server_files.BATCHING_FILE).write_text("max_batch_size { value: 3 }")
    with pytest.raises(ValueError, match="must name its allowed_batch_sizes"):
        server_files.batch_sizes(tmp_path)


def test_the_largest_allowed_size_is_the_largest_batch():
    """The server refuses the file otherwise."""
    sizes = [int(s) for s in re.findall(r"allowed_batch_sizes: (\d+)", server_files.BATCHING)]
    assert f"max_batch_size {{ value: {sizes[-1]} }}" in server_files.BATCHING
    assert sizes == sorted(sizes)


def test_all_files_name_the_same_model_and_folders(exported):
    folder = exported.parent / server_files.FOLDER
    compose = (folder / "docker-compose.yml").read_text()
    assert 'name: "hmr"\n    base_path: "/models/hmr"' in (folder / "models.config").read_text()
    assert "target: /models/hmr" in compose
    for path in re.findall(r"/models/hmr/server/(\S+)", compose):
        assert (folder / path).is_file()


def test_the_server_is_emulated_on_arm_for_which_there_is_no_image(tmp_path):
    compose = (server_files.write_server_files(tmp_path) / "docker-compose.yml").read_text()
    service = re.search(r"^  tensorflow-serving:\n((?:    .*\n)+)", compose, re.M)[1]
    assert f"    image: {server_files.IMAGE}\n" in service
    assert "    platform: linux/amd64\n" in service


@pytest.mark.parametrize("folder, name", [("a b:c", "a_b_c"), ("v1.2-x", "v1.2-x")])
def test_a_served_name_fits_urls_and_yaml(tmp_path, folder, name):
    assert server_files.served_name(tmp_path / folder) == name
