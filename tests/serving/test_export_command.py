"""The command and its flags: what each changes in the folder that is written."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from hmr_tf2 import HMR, HMRConfig, export, loading
from hmr_tf2.serving import export_check


@pytest.fixture(scope="module")
def model(small_smpl_path):
    """A small network whose batch norms are not the identity."""
    model = HMR(HMRConfig(
        smpl_model_path=str(small_smpl_path), model_type="small_resnet_fc3_dropout",
        encoder_only=True,
    ))  # fmt: skip
    model.regressor.out.kernel.assign(0.01 * model.regressor.out.kernel)
    rng = np.random.default_rng(0)
    for weight in model.encoder.weights:
        if any(name in weight.name for name in ("gamma", "variance")):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif any(name in weight.name for name in ("beta", "mean")):
            weight.assign(rng.normal(0.0, 0.1, weight.shape))
    model.compile()
    return model


@pytest.fixture(scope="module")
def run(model, save_run, tmp_path_factory):
    """The folder of a training run that ended with `model`."""
    return save_run(model, tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """exported(**flags) -> the folder that the command writes."""
    folders = {}

    def export_once(**flags):
        key = tuple(flags.items())
        if key not in folders:
            target = tmp_path_factory.mktemp("export") / "hmr"
            export.main(export.ExportSettings(
                load_path=str(run), export_dir=str(target), **flags
            ))  # fmt: skip
            folders[key] = target
        return folders[key]

    return export_once


def encoder_ops(folder):
    """Name and data type of each op that has one, in all functions of a SavedModel."""
    file = loading.export_folder(folder) / "saved_model.pb"
    (graph,) = saved_model_pb2.SavedModel.FromString(file.read_bytes()).meta_graphs
    nodes = [node for function in graph.graph_def.library.function for node in function.node_def]
    typed = [(node.op, node.attr["T"].type) for node in nodes if "T" in node.attr]
    return [(op, tf.as_dtype(kind)) for op, kind in typed if kind]


@pytest.mark.parametrize(("flags", "tolerance"), [
    ({}, export_check.TOLERANCE),
    ({"precision": "bfloat16"}, export_check.BFLOAT16_TOLERANCE),
    pytest.param({"fold_batch_norm": False}, export_check.TOLERANCE, marks=pytest.mark.slow),
    pytest.param({"no_vertices": True}, export_check.TOLERANCE, marks=pytest.mark.slow),
])  # fmt: skip
def test_what_the_command_writes_gives_the_runs_numbers(
    model, exported, load_export, rng, flags, tolerance
):
    images = rng.uniform(-1, 1, (2, 224, 224, 3)).astype(np.float32)
    got = load_export(exported(**flags))(images)
    expected = model.predict_on_batch(images)
    assert set(expected) - set(got) == ({"verts"} if "no_vertices" in flags else set())
    for name in set(expected) & set(got):
        limit = tolerance * max(1.0, np.abs(expected[name]).max())
        np.testing.assert_allclose(got[name], expected[name], rtol=0, atol=limit, err_msg=name)


def test_bfloat16_is_what_the_encoder_computes_in_and_nothing_else(exported):
    plain, fast = encoder_ops(exported()), encoder_ops(exported(precision="bfloat16"))
    convolutions = plain.count(("Conv2D", tf.float32))
    assert ("Conv2D", tf.bfloat16) not in plain
    # Up to the first sum: conv1, and of the first block reduce and conv.
    assert fast.count(("Conv2D", tf.float32)) == 3 < convolutions
    assert fast.count(("Conv2D", tf.bfloat16)) == convolutions - 3
    assert ("MatMul", tf.bfloat16) not in fast and ("MatMul", tf.float32) in fast


def test_folded_batch_norms_leave_no_op_of_their_own(exported):
    def norms(**flags):
        return sum(op.startswith("FusedBatchNorm") for op, _ in encoder_ops(exported(**flags)))

    assert norms() == 0 < norms(fold_batch_norm=False)


def test_the_next_export_is_the_next_version_and_its_place_is_said(run, exported, capsys):
    folder = exported()
    export.main(export.ExportSettings(load_path=str(run), export_dir=str(folder)))
    out = capsys.readouterr().out
    assert f"Wrote {folder / '2'};" in out
    assert f"docker compose -f {folder / 'server' / 'docker-compose.yml'} up" in out
    assert sorted(path.name for path in folder.iterdir()) == ["1", "2", "server"]
