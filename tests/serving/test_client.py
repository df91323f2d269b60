"""The client over real gRPC and HTTP connections to a loopback server of an exported model."""

import json
import socket
import subprocess
import sys
import threading
import time

import loopback
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hmr_tf2 import HMR, HMRConfig, client, demo, serving
from hmr_tf2.serving import remote
from hmr_tf2.serving.remote_predictor import remote_predictor

CALLERS = {"grpc": remote.grpc_caller, "rest": remote.rest_caller}
SERVERS = {"grpc": loopback.grpc_server, "rest": loopback.rest_server}


@pytest.fixture(scope="module")
def model(small_smpl_path):
    return HMR(HMRConfig(
        smpl_model_path=str(small_smpl_path), model_type="small_resnet_fc3_dropout",
        encoder_only=True,
    ))  # fmt: skip


@pytest.fixture(scope="module")
def export_folder(model, tmp_path_factory):
    return serving.export(model, tmp_path_factory.mktemp("hmr"))


@pytest.fixture(scope="module")
def signatures(export_folder):
    loaded = tf.saved_model.load(str(export_folder))
    yield loaded.signatures  # `loaded` holds the variables


@pytest.fixture(scope="module", params=["grpc", "rest"])
def served(request, signatures):
    """(protocol, host:port) of a running server."""
    with SERVERS[request.param](signatures) as address:
        yield request.param, address


@pytest.fixture
def picture(tmp_path, rng):
    path = tmp_path / "picture.jpg"
    Image.fromarray(rng.integers(0, 256, (120, 90, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def lying_picture(tmp_path, rng):
    """A phone's: 120 x 90 pixels as stored, 90 x 120 as its EXIF entry says."""
    path, exif = tmp_path / "lying.jpg", Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rng.integers(0, 256, (90, 120, 3), np.uint8)).save(path, exif=exif)
    return path


def results_of(folder):
    with np.load(folder / "results.npz") as file:
        return dict(file)


def assert_same_results(ours, theirs):
    assert [p.relative_to(ours) for p in sorted(ours.rglob("*"))] == [
        p.relative_to(theirs) for p in sorted(theirs.rglob("*"))
    ]
    got, expected = results_of(ours), results_of(theirs)
    assert {name: value.dtype for name, value in got.items()} == {
        name: value.dtype for name, value in expected.items()
    }
    for name, value in got.items():
        if value.dtype.kind == "f":
            np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-3, err_msg=name)
        else:
            np.testing.assert_array_equal(value, expected[name], err_msg=name)


@pytest.mark.parametrize("kind, box", [
    ("picture", "10,10,50,80"), ("picture", "10,10,50,80;30,5,50,99"), ("lying_picture", None),
])  # fmt: skip
def test_the_client_writes_what_the_demo_writes(
    served, export_folder, kind, box, request, tmp_path
):
    protocol, address = served
    picture = request.getfixturevalue(kind)
    client.main(client.ClientSettings(
        img_path=str(picture), server=address, protocol=protocol, bbox=box,
        out_dir=str(tmp_path / "client"),
    ))  # fmt: skip
    demo.main(demo.DemoSettings(
        img_path=str(picture), load_path=str(export_folder), bbox=box,
        out_dir=str(tmp_path / "demo"),
    ))  # fmt: skip
    assert_same_results(tmp_path / "client", tmp_path / "demo")
    document = json.loads((tmp_path / "client" / "results.json").read_text())
    assert document["load_path"] == f"{address}/hmr"
    (image,) = document["images"]
    assert (image["width"], image["height"]) == (90, 120)


@pytest.mark.slow
def test_without_vertices_the_client_needs_the_smpl_file_and_makes_the_same_mesh(
    model, export_folder, small_smpl_path, picture, tmp_path
):
    folder = serving.export(model, tmp_path / "small", vertices=False)
    loaded = tf.saved_model.load(str(folder))
    with loopback.grpc_server(loaded.signatures) as address:
        with pytest.raises(ValueError, match="exported with --no_vertices: give the SMPL file"):
            client.main(client.ClientSettings(
                img_path=str(picture), server=address, out_dir=str(tmp_path / "none"),
            ))  # fmt: skip
        client.main(client.ClientSettings(
            img_path=str(picture), server=address, smpl_model_path=str(small_smpl_path),
            out_dir=str(tmp_path / "client"),
        ))  # fmt: skip
    demo.main(demo.DemoSettings(
        img_path=str(picture), load_path=str(export_folder), out_dir=str(tmp_path / "demo"),
    ))  # fmt: skip
    assert_same_results(tmp_path / "client", tmp_path / "demo")
    assert not (tmp_path / "none").exists()


def test_encoded_pictures_and_broken_ones_pass_through(served, signatures, picture):
    protocol, address = served
    image_bytes = np.array([picture.read_bytes(), b"", b"no picture"], object)
    got = CALLERS[protocol](address, "hmr", 60.0)("serving_default", {"image_bytes": image_bytes})
    expected = signatures["serving_default"](image_bytes=tf.constant(image_bytes))
    assert set(got) == set(expected)
    assert got["valid"].tolist() == [True, False, False]
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-6, atol=1e-6, err_msg=name)


def test_boxes_give_the_offline_bodies(served, signatures, picture):
    protocol, address = served
    image_bytes = np.array([picture.read_bytes()] * 3, object)
    boxes = np.float32([[10, 10, 50, 80], [-5.5, 20, 60.25, 90], [500, 0, 9, 9]])
    got = CALLERS[protocol](address, "hmr", 60.0)(
        "predict_boxes", {"image_bytes": image_bytes, "boxes": boxes}
    )
    expected = signatures["predict_boxes"](
        image_bytes=tf.constant(image_bytes), boxes=tf.constant(boxes)
    )
    assert set(got) == set(expected)
    assert got["valid"].tolist() == [True, True, False]
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-6, atol=1e-6, err_msg=name)


def test_another_model_name_is_said(served):
    protocol, address = served
    with pytest.raises(ValueError, match="no model --model_name=smpl"):
        CALLERS[protocol](address, "smpl", 60.0)("predict_crops", {"images": np.zeros((1, 2))})


def test_a_missing_signature_and_wrong_inputs_are_refused_with_the_reason(served):
    protocol, address = served
    call = CALLERS[protocol](address, "hmr", 60.0)
    with pytest.raises(remote.RefusedError, match="refuses .*classify"):
        call("classify", {"images": np.zeros((1, 2), np.float32)})
    with pytest.raises(remote.RefusedError, match="refuses the request"):
        call("predict_crops", {"images": np.zeros((1, 2), np.float32)})


def faces_of_two(rows):
    return {"faces": tf.zeros([1, 2, 3], tf.int32), "img_size": tf.constant([8])}


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
@pytest.mark.parametrize(("other", "message"), [
    ({"predict": lambda rows: {"a": rows, "b": rows}},
     'was not written by this version of hmr_tf2.export: .*"mesh" not found'),
    ({"mesh": lambda rows: {"a": rows, "b": rows}}, "is not an HMR model: its outputs are a, b"),
    ({"mesh": faces_of_two, "predict_crops": lambda images: {"a": images, "theta": images}},
     "is not an HMR model: its outputs are a, theta"),
])  # fmt: skip
def test_a_model_that_is_not_hmr_is_named(protocol, other, message):
    with SERVERS[protocol](other) as address:
        with pytest.raises(ValueError, match=message):
            remote_predictor(address, protocol).predict_crops(np.zeros((1, 8, 8, 3)))


def test_an_only_output_without_a_name_is_another_model():
    with loopback.rest_server({"mesh": lambda rows: {"scores": rows}}) as address:
        with pytest.raises(ValueError, match="hmr at .* has only one output: is it another model"):
            remote.rest_caller(address, "hmr", 20.0)("mesh", {"rows": np.zeros(2)})


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_an_answer_after_the_deadline_is_an_error(protocol):
    def slow(images):
        time.sleep(1.0)
        return {"theta": images}

    with SERVERS[protocol]({"predict_crops": slow}) as address:
        with pytest.raises(TimeoutError, match="--deadline=0.2 seconds"):
            CALLERS[protocol](address, "hmr", 0.2)("predict_crops", {"images": np.zeros(3)})


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_nobody_listening_is_an_error(protocol):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    with pytest.raises(ConnectionError, match=f"No answer from --server={address}"):
        remote_predictor(address, protocol)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (b"\x00\x00\x06\x04\x00", ValueError, "does not speak HTTP.*8501, for gRPC 8500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", OSError, "it broke off its answer"),
        (b"", OSError, "No answer from --server"),
    ],
)
def test_a_rest_server_that_answers_something_else_or_half_is_named(answer, error, message):
    """As a gRPC port does, or a server that is killed."""

    def serve(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):  # unread data would reset the connection
                pass

    with socket.create_server(("localhost", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        address = f"localhost:{listener.getsockname()[1]}"
        with pytest.raises(error, match=message):
            remote.rest_caller(address, "hmr", 20.0)("mesh", {"rows": np.zeros(2)})
        thread.join()


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "A picture is needed"),
    (["a.jpg"], "--server=host:port is needed"),
    (["a.jpg", "--server=localhost"], "must be host:port"),
    (["a.jpg", "b.jpg"], "Unexpected argument 'b.jpg'"),
])  # fmt: skip
def test_wrong_arguments_are_one_message(arguments, message):
    done = subprocess.run(
        [sys.executable, "-m", "hmr_tf2.client", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
