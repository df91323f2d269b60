"""Whole evaluations with predictors whose errors are known, and runs that are stopped."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf

import hmr_tf2
from hmr_tf2.evaluation import protocols, run

H36M = "tf_records_human36m_wjoints/test/{}.tfrecord"
COUNTS = {"S9_Directions_0_cam0": 4, "S11_Directions_0_cam2": 1, "S11_Walking_1_cam3": 2}


@pytest.fixture
def h36m(people):
    for name, count in COUNTS.items():
        people.write(H36M.format(name), count)
    return people


@pytest.fixture
def model(tmp_path):
    """The files of a model, as the fingerprint wants them."""
    file = tmp_path / "ckpt-1.index"
    file.write_bytes(b"weights")
    return [file]


def evaluate(people, predictor, model, tmp_path, dataset="h36m", num_pictures=0, **options):
    text, page = run.evaluate(
        protocols.find(people.data_dir, dataset),
        predictor,
        "ckpt-1",
        model,
        tmp_path / "out",
        num_pictures=num_pictures,
        **options,
    )
    return json.loads((page.parent / "results.json").read_text()), text, page


def test_the_truth_has_no_error(h36m, truthful, model, tmp_path):
    predictor = truthful()
    results, _, _ = evaluate(h36m, predictor, model, tmp_path)
    overall = results["overall"]
    for name in ("mpjpe_mm", "pa_mpjpe_mm", "mpjpe_over_groups_mm", "keypoint_px"):
        assert overall[name] < 1e-3
    assert overall["pck_150mm"] == overall["pck_torso"] == 100.0
    assert overall["auc"] == pytest.approx(100 * 30 / 31)
    # Batches do not cross recordings, and the last one of each holds what is left.
    assert predictor.calls == [[0, 1, 2], [3], [4], [5, 6]]


def test_a_similarity_leaves_only_the_error_before_alignment(h36m, truthful, model, tmp_path):
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])

    def answer(out):
        return {**out, "joints3d": 1.2 * out["joints3d"] @ turn.T + [0.1, 0.2, 0.3]}

    results, _, _ = evaluate(h36m, truthful(answer), model, tmp_path)
    truth = h36m.joints3d - h36m.joints3d[:, [2, 3]].mean(1, keepdims=True)
    expected = 1000 * np.linalg.norm(1.2 * truth @ turn.T - truth, axis=2).mean(1)
    overall = results["overall"]
    assert overall["mpjpe_mm"] == pytest.approx(expected.mean(), rel=1e-5)
    assert overall["median_mm"] == pytest.approx(np.median(expected), rel=1e-5)
    assert overall["pa_mpjpe_mm"] < 1e-3
    for percent in (90, 70, 50, 30, 10):
        assert results["percentiles"][str(percent)] == pytest.approx(
            np.percentile(expected, percent), rel=1e-5
        )


def shifted(people):
    """An answer that is wrong by an MPJPE of k mm for person k."""

    def answer(out):
        joints3d = out["joints3d"].copy()
        for row in joints3d:
            who = int(np.argmin(np.abs(people.joints3d - row[:14]).sum((1, 2))))
            row[13, 2] += 0.014 * who
        return {**out, "joints3d": joints3d}

    return answer


def test_recordings_count_the_same_in_their_action_frames_in_the_total(
    h36m, truthful, model, tmp_path
):
    results, text, _ = evaluate(h36m, truthful(shifted(h36m)), model, tmp_path)
    # People 0 to 3 and 4 are the recordings of Directions, 5 and 6 that of Walking.
    actions = {name: row["mpjpe_mm"] for name, row in results["by_action"].items()}
    assert actions == pytest.approx({"Directions": (1.5 + 4) / 2, "Walking": 5.5}, rel=1e-4)
    overall = results["overall"]
    assert overall["mpjpe_over_groups_mm"] == pytest.approx((2.75 + 5.5) / 2, rel=1e-4)
    assert overall["mpjpe_mm"] == pytest.approx(3.0, rel=1e-4)
    assert results["by_joint"]["head_top"]["mpjpe_mm"] == pytest.approx(14 * 3.0, rel=1e-4)
    assert results["by_joint"]["neck"]["mpjpe_mm"] < 1e-3
    assert "236 of 239 recordings are missing" in text
    assert len(results["missing_recordings"]) == 236


def test_results_tell_the_version_that_computed_them(h36m, truthful, model, tmp_path):
    results, _, _ = evaluate(h36m, truthful(), model, tmp_path)
    assert results["hmr_tf2"] == hmr_tf2.__version__


def test_every_frame_stands_in_the_csv(h36m, truthful, model, tmp_path):
    _, _, page = evaluate(h36m, truthful(shifted(h36m)), model, tmp_path)
    with open(page.parent / "frames.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["recording"] for row in rows] == [
        name
        for name in ("S9_Directions_0_cam0", "S11_Directions_0_cam2", "S11_Walking_1_cam3")
        for _ in range(COUNTS[name])
    ]
    assert [row["file"] for row in rows] == [f"{k}.png" for k in range(7)]
    assert [float(row["mpjpe_mm"]) for row in rows] == pytest.approx(range(7), abs=1e-3)
    assert rows[5]["action"] == "Walking" and rows[6]["record"] == "1"


def test_a_second_run_predicts_nothing_and_tells_the_same(h36m, truthful, model, tmp_path):
    first, text, _ = evaluate(h36m, truthful(), model, tmp_path)
    again = truthful()
    second, text_again, _ = evaluate(h36m, again, model, tmp_path)
    assert not again.calls
    assert (second, text_again) == (first, text)


def test_a_stopped_run_continues_with_the_recording_it_was_at(h36m, truthful, model, tmp_path):
    def stop_at_the_last(out):
        if len(stopped.calls) == 4:
            raise KeyboardInterrupt
        return out

    stopped = truthful(stop_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        evaluate(h36m, stopped, model, tmp_path)
    again = truthful()
    results, _, _ = evaluate(h36m, again, model, tmp_path)
    assert again.seen == [5, 6] and results["frames"] == 7


def test_other_weights_records_or_settings_are_predicted_anew(h36m, truthful, model, tmp_path):
    def seen(**options):
        predictor = truthful()
        evaluate(h36m, predictor, model, tmp_path, **options)
        return predictor.seen

    assert seen() == [0, 1, 2, 3, 4, 5, 6]
    model[0].write_bytes(b"other weights")
    assert seen() == [0, 1, 2, 3, 4, 5, 6]
    new = h36m.write(H36M.format("S11_Walking_1_cam3"), 2)
    assert seen() == list(new)
    assert seen(frame_step=2) == [0, 2, 4, new[0]]
    assert seen(frame_step=2, overwrite=True) == [0, 2, 4, new[0]]
    file = tmp_path / "out/predictions/h36m_test/S11_Directions_0_cam2.h5"
    file.write_bytes(file.read_bytes()[:-100])
    assert seen(frame_step=2) == [4]


def test_both_protocols_share_predictions(people, truthful, model, tmp_path):
    people.write(H36M.format("S9_Eating_0_cam3"), 2)
    people.write(H36M.format("S9_Eating_1_cam3"), 1)
    for number, expected in ((2, [0, 1]), (1, [2])):
        predictor = truthful()
        run.evaluate(
            protocols.find(people.data_dir, "h36m", number),
            predictor,
            "ckpt-1",
            model,
            tmp_path / "out",
            num_pictures=0,
        )
        assert predictor.seen == expected


def test_scenes_and_activities_of_3dhp_are_told_apart(people, truthful, model, tmp_path):
    people.write("mpi_inf_3dhp/test/TS1.tfrecord", 2, activity=1)
    people.write("mpi_inf_3dhp/test/TS2.tfrecord", 1, activity=6)
    people.write("mpi_inf_3dhp/test/TS5.tfrecord", 2)

    def answer(out):  # the first two are off by 14 * 200 mm at one joint, the others right
        joints3d = out["joints3d"].copy()
        joints3d[:, 13, 2] += [2.8 if len(joints3d) == 2 and not predictor.calls[1:] else 0.0]
        return {**out, "joints3d": joints3d}

    predictor = truthful(answer)
    results, text, _ = evaluate(people, predictor, model, tmp_path, "mpi_inf_3dhp")
    assert {name: row["frames"] for name, row in results["by_scene"].items()} == {
        "green screen": 3,
        "outdoors": 2,
    }
    assert {name: row["frames"] for name, row in results["by_activity"].items()} == {
        "Stand/Walk": 2,
        "Sports": 1,
        "not known": 2,
    }
    wrong = results["by_activity"]["Stand/Walk"]
    assert wrong["mpjpe_mm"] == pytest.approx(200.0, rel=1e-4)
    assert wrong["pck_150mm"] == pytest.approx(100 * 13 / 14)
    assert wrong["auc"] == pytest.approx(100 * 13 / 14 * 30 / 31)
    # All frames count the same: no mean of means.
    assert results["overall"]["mpjpe_mm"] == pytest.approx(80.0, rel=1e-4)
    assert results["by_scene"]["green screen"]["mpjpe_mm"] == pytest.approx(400 / 3, rel=1e-4)
    assert "By scene" in text and "By activity" in text and "AUC" in text


def test_2d_data_sets_have_pixels_and_pck(people, truthful, model, tmp_path):
    people.write("lsp/test_000.tfrecord", 3, has_3d=False, hidden=(12,))

    def answer(out):
        return {**out, "joints": out["joints"] + [3.0, 4.0]}

    results, text, _ = evaluate(people, truthful(answer), model, tmp_path, "lsp")
    overall = results["overall"]
    assert overall["keypoint_px"] == pytest.approx(5.0, rel=1e-4)
    torso = np.linalg.norm(people.keypoints[:, 9, :2] - people.keypoints[:, 2, :2], axis=1)
    assert overall["pck_torso"] == pytest.approx(100 * np.mean(5.0 < 0.2 * torso))
    assert overall["pckh"] is None  # no neck is visible, so no head has a length
    assert "mpjpe_mm" not in overall and "3-D" not in text
    assert "neck" not in results["by_joint"] and "nose" not in results["by_joint"]


def test_the_page_has_tables_charts_and_pictures(h36m, truthful, model, tmp_path):
    _, _, page = evaluate(h36m, truthful(shifted(h36m)), model, tmp_path, num_pictures=2)
    source = page.read_text()
    assert source.count("<svg") == 3 and source.count("data:image/jpeg;base64,") == 4
    for text in (
        "Human3.6M, protocol 1",
        "By action",
        "Largest errors",
        "Smallest errors",
        "6.0 mm, PA",
        "S11_Walking_1_cam3, 6.png",
        "0.0 mm, PA",
    ):
        assert text in source
    assert "http" not in source.replace("http-equiv", "")


def test_a_file_name_that_is_no_text_is_shown_as_well_as_it_can(people, truthful, model, tmp_path):
    people.write(H36M.format("S9_Eating_0_cam1"), 1)
    path = str(people.data_dir / H36M.format("S9_Eating_0_cam1"))
    (content,) = tf.data.TFRecordDataset(path).as_numpy_iterator()
    record = tf.train.Example.FromString(content)
    record.features.feature["image/filename"].bytes_list.value[0] = b"\xff.png"
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(record.SerializeToString())
    _, _, page = evaluate(people, truthful(), model, tmp_path, num_pictures=1)
    assert "\ufffd.png" in page.read_text()
    assert "\ufffd.png" in (page.parent / "frames.csv").read_text()


def test_no_pictures_are_drawn_where_none_are_wanted(h36m, truthful, model, tmp_path):
    _, _, page = evaluate(h36m, truthful(), model, tmp_path)
    assert "data:image" not in page.read_text()


def test_a_prediction_that_is_no_number_stops_the_run(h36m, truthful, model, tmp_path):
    predictor = truthful(lambda out: {**out, "theta": out["theta"] * np.nan})
    with pytest.raises(FloatingPointError, match="theta is not finite .*S9_Directions_0_cam0"):
        evaluate(h36m, predictor, model, tmp_path)
    assert not list(tmp_path.glob("out/predictions/**/*.h5"))


def test_recordings_without_frames_are_left_out(h36m, truthful, model, tmp_path):
    h36m.write(H36M.format("S9_Posing_0_cam0"), 0)
    results, _, _ = evaluate(h36m, truthful(), model, tmp_path)
    assert list(results["by_action"]) == ["Directions", "Walking"]


def test_no_frames_at_all_are_an_error(people, truthful, model, tmp_path):
    people.write(H36M.format("S9_Posing_0_cam0"), 0)
    with pytest.raises(ValueError, match="records of Human3.6M, protocol 1 are empty"):
        evaluate(people, truthful(), model, tmp_path)
