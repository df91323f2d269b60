"""The folder in programs that know nothing of this project."""

import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

TENSORFLOW = pathlib.Path(tf.__file__).parent
OUTPUTS = ("theta", "cams", "joints", "joints3d", "verts", "rotations", "valid")


@pytest.fixture(scope="module")
def expected(loaded, encoded):
    """What Python gets for a JPEG and a file that is no picture."""
    out = loaded.signatures["serving_default"](image_bytes=tf.constant([encoded(), b"none"]))
    return {name: value.numpy() for name, value in out.items()}


@pytest.fixture
def picture_files(encoded, tmp_path):
    (tmp_path / "picture.jpg").write_bytes(encoded())
    (tmp_path / "none.jpg").write_bytes(b"none")
    return [tmp_path / "picture.jpg", tmp_path / "none.jpg"]


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs a C compiler (gcc)")
def test_a_c_program_reproduces_the_numbers(exported, expected, picture_files, tmp_path):
    program = tmp_path / "predict"
    subprocess.run(
        ["gcc", "-O1", "-o", program, pathlib.Path(__file__).with_name("predict.c"),
         f"-I{TENSORFLOW / 'include'}", f"-L{TENSORFLOW}", f"-Wl,-rpath,{TENSORFLOW}",
         "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"],
        check=True, capture_output=True,
    )  # fmt: skip
    model = saved_model_pb2.SavedModel.FromString((exported / "saved_model.pb").read_bytes())
    signature = model.meta_graphs[0].signature_def["serving_default"]
    wanted = [f"{signature.outputs[name].name}={tmp_path / name}" for name in OUTPUTS]
    subprocess.run(
        [program, exported, signature.inputs["image_bytes"].name.split(":")[0],
         str(len(picture_files)), *picture_files, *wanted],
        check=True, timeout=120,
    )  # fmt: skip
    for name in OUTPUTS:
        got = np.fromfile(tmp_path / name, expected[name].dtype).reshape(expected[name].shape)
        np.testing.assert_allclose(got, expected[name], rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.slow
def test_a_process_with_nothing_but_tensorflow_reproduces_the_numbers(
    exported, expected, untrained, picture_files
):
    program = """
import json, sys
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
data = tf.constant([open(path, "rb").read() for path in sys.argv[2:]])
out = {**model.signatures["serving_default"](image_bytes=data),
       **model.signatures["mesh"](rows=tf.zeros([1]))}
assert not any(name.split(".")[0] == "hmr_tf2" for name in sys.modules)
print(json.dumps({name: out[name].numpy().tolist() for name in
                  ("theta", "joints", "valid", "faces")}))
"""
    expected = {**expected, "faces": untrained.smpl.faces[np.newaxis]}
    done = subprocess.run(
        [sys.executable, "-c", program, exported, *picture_files],
        check=True, capture_output=True, text=True, cwd=picture_files[0].parent,
    )  # fmt: skip
    for name, value in json.loads(done.stdout.splitlines()[-1]).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.slow
def test_saved_model_cli_shows_and_runs_the_signatures(exported, tmp_path):
    cli = pathlib.Path(sys.executable).with_name("saved_model_cli")
    shown = subprocess.run(
        [cli, "show", "--dir", exported, "--tag_set", "serve", "--signature_def",
         "predict_boxes"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "inputs['image_bytes'] tensor_info:\n      dtype: DT_STRING\n      shape: (-1)" in (
        shown.stdout
    )
    assert "outputs['verts'] tensor_info:\n      dtype: DT_FLOAT\n      shape: (-1, 6890, 3)" in (
        shown.stdout
    )
    subprocess.run(
        [cli, "run", "--dir", exported, "--tag_set", "serve", "--signature_def",
         "serving_default", "--input_exprs", 'image_bytes=[b"none", b""]', "--outdir", tmp_path],
        check=True, capture_output=True,
    )  # fmt: skip
    np.testing.assert_array_equal(np.load(tmp_path / "valid.npy"), [False, False])
    np.testing.assert_array_equal(np.load(tmp_path / "theta.npy"), np.zeros((2, 85)))
