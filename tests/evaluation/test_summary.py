"""The numbers that are told: from made-up errors, by worked examples."""

import numpy as np
import pytest

from hmr_tf2.evaluation import summary
from hmr_tf2.evaluation.frames import Frames
from hmr_tf2.evaluation.protocols import ERRORS_3D, Protocol, Recording
from tfrecords_tools import joints

HIDDEN = np.nan


def frames(errors_mm=None, errors_px=None, torso_px=100.0, head_px=100.0, **changes):
    """Frames of one recording; what is not given has no errors."""
    given = errors_mm if errors_mm is not None else errors_px
    count = len(given)
    errors_mm = np.zeros((count, 0)) if errors_mm is None else np.asarray(errors_mm, float)
    errors_px = np.full((count, 14), HIDDEN) if errors_px is None else np.asarray(errors_px, float)
    values = dict(
        recording=np.zeros(count, int),
        record=np.arange(count),
        filename=np.array([f"{k}.jpg" for k in range(count)], object),
        errors_mm=errors_mm,
        errors_pa_mm=errors_mm / 2,
        errors_px=errors_px,
        torso_px=np.broadcast_to(np.float64(torso_px), (count,)),
        head_px=np.broadcast_to(np.float64(head_px), (count,)),
        labels={},
    )
    return Frames(**{**values, **changes})


def protocol(*recordings, **changes):
    values = dict(name="p", people="p", title="P", has_3d=True, columns=ERRORS_3D)
    return Protocol(**values, recordings=tuple(recordings) or (Recording("a", "a"),), **changes)


def all_joints(*errors):
    """Frames whose joints are all wrong by the same."""
    return np.tile(np.array(errors, float)[:, np.newaxis], (1, 14))


def test_a_joint_is_correct_below_150_mm():
    """Mehta et al. 2017, section 5 (MPI-INF-3DHP): 3-D PCK at 150 mm."""
    for error, share in ((149.9, 100.0), (150.1, 0.0)):
        told = summary.measures_of(frames(all_joints(error)))
        assert told["pck_150mm"] == share
    aligned = summary.measures_of(frames(all_joints(2 * 149.9, 2 * 150.1)))
    assert aligned["pa_pck_150mm"] == 50.0 and aligned["pck_150mm"] == 0.0


def test_the_area_under_pck_ends_at_150_mm():
    told = summary.measures_of(frames(all_joints(144.9, 150.1)))
    # Of the 31 thresholds 0, 5, .. 150 the last two lie above the first error, none the second.
    assert told["auc"] == pytest.approx(100 * (2 / 31 + 0) / 2)


def test_pck_is_at_a_fifth_of_the_torso_and_pckh_at_half_the_head():
    """Yang and Ramanan 2013 with LSP's torso; Andriluka et al. 2014 (PCKh@0.5)."""
    joints = np.full((1, 14), HIDDEN)
    joints[0, :2] = [19.9, 20.1]
    told = summary.measures_of(frames(errors_px=joints, torso_px=100.0, head_px=39.9))
    assert told["pck_torso"] == 50.0
    assert told["pckh"] == 50.0
    told = summary.measures_of(frames(errors_px=joints, torso_px=99.0, head_px=40.3))
    assert told["pck_torso"] == 0.0
    assert told["pckh"] == 100.0


def test_each_person_is_measured_by_his_own_torso():
    told = summary.measures_of(
        frames(errors_px=np.full((2, 14), 10.0), torso_px=[49.0, 51.0], head_px=[21.0, HIDDEN])
    )
    assert told["pck_torso"] == 50.0
    assert told["pckh"] == 100.0  # a head of unknown length counts neither way


def test_a_length_of_zero_measures_nothing():
    told = summary.measures_of(
        frames(errors_px=np.full((2, 14), 0.0), torso_px=[0.0, 1.0], head_px=0.0)
    )
    assert told["pck_torso"] == 100.0
    assert np.isnan(told["pckh"])
    # A length far below a pixel is a length.
    told = summary.measures_of(frames(errors_px=np.full((1, 14), 0.05), torso_px=0.5))
    assert told["pck_torso"] == 100.0


def test_means_and_medians_are_of_frames():
    errors = all_joints(10.0, 20.0, 90.0)
    errors[0] = [4.0, 16.0] * 7  # a frame counts by its mean
    told = summary.measures_of(frames(errors))
    assert told["mpjpe_mm"] == pytest.approx(40.0) and told["median_mm"] == pytest.approx(20.0)
    assert told["pa_mpjpe_mm"] == pytest.approx(20.0)
    assert told["pa_median_mm"] == pytest.approx(10.0)


def test_keypoints_out_of_sight_count_neither_way():
    joints = np.full((2, 14), HIDDEN)
    joints[0, :3] = [1.0, 2.0, 9.0]
    told = summary.measures_of(frames(errors_px=joints))
    assert told["keypoint_px"] == pytest.approx(4.0)
    assert told["keypoint_median_px"] == pytest.approx(2.0)
    nobody = summary.measures_of(frames(errors_px=np.full((2, 14), HIDDEN)))
    assert np.isnan([nobody["keypoint_px"], nobody["keypoint_median_px"]]).all()


def test_percentiles_are_those_of_the_original():
    """akanazawa/hmr src/benchmark/evaluate_h36m.py prints 90, 70, 50, 30, 10."""
    told = summary.summarise(protocol(), frames(all_joints(*range(101))))
    assert told["percentiles"] == pytest.approx({str(p): p for p in (90, 70, 50, 30, 10)})
    assert told["frames"] == 101


def test_percentiles_leave_out_what_is_no_number():
    errors = all_joints(*range(101), np.nan, np.inf)
    errors[-1, 0] = np.inf
    told = summary.summarise(protocol(), frames(errors))
    assert told["percentiles"]["90"] == pytest.approx(90.0)
    nobody = summary.summarise(protocol(), frames(errors_px=np.full((2, 14), HIDDEN)))
    assert np.isnan(list(nobody["percentiles"].values())).all()


def in_groups(equal):
    """Recording a, group g, errors 1, 2, 3; b, group g, 10; c, group h, 20."""
    recording = np.array([0, 0, 0, 1, 2])
    groups = np.array(["g", "g", "g", "g", "h"], object)
    about = protocol(
        *(Recording(name, name, group) for name, group in ("ag", "bg", "ch")),
        grouped_by="action",
        groups=("h", "g", "without frames"),
        equal_recordings=equal,
    )
    made = frames(
        all_joints(1.0, 2.0, 3.0, 10.0, 20.0), recording=recording, labels={"action": groups}
    )
    return summary.summarise(about, made)


def test_recordings_of_a_group_count_the_same_where_the_protocol_says_so():
    told = in_groups(equal=True)
    rows = {name: row["mpjpe_mm"] for name, row in told["by_action"].items()}
    assert rows == pytest.approx({"h": 20.0, "g": (2.0 + 10.0) / 2})
    assert list(rows) == ["h", "g"]
    assert told["by_action"]["g"]["frames"] == 4
    assert told["overall"]["mpjpe_mm"] == pytest.approx(36 / 5)
    assert told["overall"]["mpjpe_over_groups_mm"] == pytest.approx(13.0)
    assert told["overall"]["pa_mpjpe_over_groups_mm"] == pytest.approx(6.5)


def test_frames_of_a_group_count_the_same_elsewhere():
    told = in_groups(equal=False)
    rows = {name: row["mpjpe_mm"] for name, row in told["by_action"].items()}
    assert rows == pytest.approx({"h": 20.0, "g": 4.0})
    assert "mpjpe_over_groups_mm" not in told["overall"]


def test_every_recording_has_its_row():
    rows = {name: row["mpjpe_mm"] for name, row in in_groups(True)["by_recording"].items()}
    assert rows == pytest.approx({"a": 2.0, "b": 10.0, "c": 20.0})


def test_activities_are_told_in_their_order_and_the_unknown_last():
    activity = np.array(["not known", "sit", "stand", "sit"], object)
    told = summary.summarise(
        protocol(grouped_by="scene", groups=("out",), activities=("stand", "sit")),
        frames(
            all_joints(1.0, 2.0, 3.0, 4.0),
            labels={"scene": np.array(["out"] * 4, object), "activity": activity},
        ),
    )
    rows = {name: row["mpjpe_mm"] for name, row in told["by_activity"].items()}
    assert list(rows.items()) == [("stand", 3.0), ("sit", 3.0), ("not known", 1.0)]


def test_joints_are_told_apart_by_name():
    errors_mm, errors_px = np.zeros((2, 14)), np.full((2, 19), HIDDEN)
    errors_mm[:, 2] = [10.0, 30.0]  # the right hip
    errors_px[:, 13] = [1.0, HIDDEN]  # the head top
    errors_px[:, 14] = [5.0, 7.0]  # the nose, which has no 3-D joint
    rows = summary.summarise(protocol(), frames(errors_mm, errors_px))["by_joint"]
    assert rows["right_hip"]["mpjpe_mm"] == 20.0 and rows["right_hip"]["pa_mpjpe_mm"] == 10.0
    assert rows["left_hip"]["mpjpe_mm"] == 0.0 and np.isnan(rows["left_hip"]["keypoint_px"])
    assert rows["head_top"]["keypoint_px"] == 1.0
    assert rows["nose"] == {"keypoint_px": 6.0}
    # Nobody sees the eyes, and they have no 3-D joint: the data set does not have them.
    assert list(rows)[-2:] == ["head_top", "nose"] and len(rows) == 15


def test_a_keypoint_after_one_that_the_data_set_lacks_is_reported():
    """The nose is seen by nobody, the ears, which come later, are."""
    errors_px = np.full((2, 19), HIDDEN)
    ear = joints.COCO_PLUS.index("left_ear")
    errors_px[:, ear] = [2.0, 4.0]
    rows = summary.summarise(protocol(), frames(errors_px=errors_px))["by_joint"]
    assert rows == {"left_ear": {"keypoint_px": 3.0}}
