"""Errors between epochs: right, repeatable, and told of early when there is nothing to measure."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2.evaluation.validation import Validation
from tfrecords_tools import records

H36M = "tf_records_human36m_wjoints/test/S9_{}_0_cam3.tfrecord"


def write_h36m(people, counts):
    for action, count in counts.items():
        people.write(H36M.format(action), count)


def test_the_truth_has_no_error(people):
    write_h36m(people, {"Directions": 3, "Eating": 4})
    people.write("lsp/test_000.tfrecord", 5, has_3d=False)
    results = Validation(people.data_dir, ["h36m", "lsp"], batch_size=2).run(people.predict)
    assert set(results) == {
        "val_h36m_keypoint_px",
        "val_h36m_mpjpe_mm",
        "val_h36m_pa_mpjpe_mm",
        "val_lsp_keypoint_px",
    }
    assert all(value < 1e-3 for value in results.values())


def test_known_errors_are_found(people):
    write_h36m(people, {"Directions": 5})

    def predict(images):
        out = people.predict(images)
        out["joints"] = out["joints"] + [3.0, 4.0]
        out["joints3d"] = 1.5 * out["joints3d"] + 7.0
        return out

    results = Validation(people.data_dir, ["h36m"], batch_size=3).run(predict)
    centred = people.joints3d - people.joints3d[:, [2, 3]].mean(1, keepdims=True)
    expected = 500.0 * np.linalg.norm(centred, axis=2).mean()
    assert results["val_h36m_keypoint_px"] == pytest.approx(5.0, rel=1e-4)
    assert results["val_h36m_mpjpe_mm"] == pytest.approx(expected, rel=1e-4)
    assert results["val_h36m_pa_mpjpe_mm"] < 1e-2


def test_a_limit_takes_the_same_people_at_equal_distances(people):
    write_h36m(people, {"Directions": 6, "Eating": 6})
    validation = Validation(people.data_dir, ["h36m"], limit=4, batch_size=3)
    seen = []

    def predict(images):
        seen.append(people.who(images).tolist())
        return people.predict(images)

    assert validation.run(predict) == validation.run(predict)
    assert seen == [[0, 3, 6], [9]] * 2


def test_a_limit_above_the_number_of_people_takes_all(people):
    write_h36m(people, {"Directions": 3})
    seen = []
    Validation(people.data_dir, ["h36m"], limit=99).run(
        lambda images: seen.extend(people.who(images)) or people.predict(images)
    )
    assert seen == [0, 1, 2]


def test_invisible_keypoints_do_not_count(people):
    people.write("lsp/test_000.tfrecord", 2, has_3d=False, hidden=(3,))

    def predict(images):
        out = people.predict(images)
        out["joints"][:, 3] += 1000.0
        return out

    assert Validation(people.data_dir, ["lsp"]).run(predict)["val_lsp_keypoint_px"] < 1e-3


def test_a_prediction_that_is_no_number_shows(people):
    write_h36m(people, {"Directions": 3})

    def predict(images):
        out = people.predict(images)
        out["joints"][0, 0] = out["joints3d"][0, 0] = np.nan
        return out

    results = Validation(people.data_dir, ["h36m"]).run(predict)
    assert all(np.isnan(value) for value in results.values())


def test_the_models_own_method_fits(people, untrained):
    write_h36m(people, {"Directions": 3})
    results = Validation(people.data_dir, ["h36m"], batch_size=2).run(untrained.predict_on_batch)
    assert all(np.isfinite(value) and value > 0 for value in results.values())


@pytest.mark.parametrize("name", ["mpii", "CMU", "nonsense"])
def test_a_data_set_without_test_people_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="--val_datasets accepts lsp, coco, h36m, mpi_inf_3dhp"):
        Validation(tmp_path, [name])


def test_missing_records_are_told_of_with_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match="convert_datasets --datasets=lsp"):
        Validation(tmp_path, ["lsp"])


def test_empty_and_cut_off_records_are_named(people):
    people.write("lsp/test_000.tfrecord", 0, has_3d=False)
    with pytest.raises(ValueError, match="'lsp' .* are empty"):
        Validation(people.data_dir, ["lsp"])
    people.write("lsp/test_000.tfrecord", 2, has_3d=False)
    file = people.data_dir / "lsp/test_000.tfrecord"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ValueError, match="test_000.tfrecord: .*cut off"):
        Validation(people.data_dir, ["lsp"])


def test_a_damaged_picture_is_named(people):
    file = people.data_dir / "lsp/test_000.tfrecord"
    people.write("lsp/test_000.tfrecord", 1, has_3d=False)
    with tf.io.TFRecordWriter(str(file)) as writer:
        keypoints = np.ones((14, 3))
        writer.write(
            records.image_example(
                encoded=b"no picture",
                filename="a",
                height=300,
                width=300,
                keypoints=keypoints,
                center=(150, 150),
            )
        )
    with pytest.raises(ValueError, match="test_000.tfrecord, record at byte 0 is damaged"):
        Validation(people.data_dir, ["lsp"]).run(people.predict)
