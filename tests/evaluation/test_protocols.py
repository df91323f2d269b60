"""Which recordings count: the original's, whatever else lies beside them."""

import pytest

from hmr_tf2.evaluation import protocols, summary
from tfrecords_tools.readers import human36m_names

TEST = "tf_records_human36m_wjoints/test"


def test_protocol_1_has_all_but_the_damaged_recording():
    found = protocols.human36m_recordings(1)
    assert len(found) == 2 * 15 * 2 * 4 - 1
    assert "S11_Directions_1_cam0" not in found and found["S9_Directions_1_cam0"] == "Directions"
    assert {name.split("_")[0] for name in found} == {"S9", "S11"}


def test_protocol_2_has_the_frontal_camera_and_trial_0():
    found = protocols.human36m_recordings(2)
    assert len(found) == 2 * 15
    assert all(name.endswith("_0_cam3") for name in found)
    assert set(found) < set(protocols.human36m_recordings(1))


def test_the_papers_order_names_every_action_once():
    assert sorted(protocols.PAPER_ACTIONS) == sorted(human36m_names.ACTIONS)
    assert protocols.PAPER_ACTIONS[5:7] == ["TakingPhoto", "Posing"]


def test_recordings_of_other_subjects_and_missing_ones_are_kept_apart(people):
    for name in ("S9_Eating_0_cam3", "S11_Walking_0_cam3", "S9_Eating_0_cam1", "S1_Eating_0_cam3"):
        people.write(f"{TEST}/{name}.tfrecord", 1)
    found = protocols.find(people.data_dir, "h36m", protocol=2)
    assert [(r.name, r.group) for r in found.recordings] == [
        ("S9_Eating_0_cam3", "Eating"),
        ("S11_Walking_0_cam3", "Walking"),
    ]
    assert len(found.missing) == 28 and "S9_Walking_0_cam3" in found.missing
    assert (
        found.people == protocols.find(people.data_dir, "h36m", protocol=1).people == "h36m_test"
    )


def test_no_recording_of_the_protocol_is_an_error(people):
    people.write(f"{TEST}/S1_Eating_0_cam3.tfrecord", 1)
    with pytest.raises(FileNotFoundError, match="names such as S9_Directions_0_cam0"):
        protocols.find(people.data_dir, "h36m")


def test_test_sequences_of_3dhp_have_scenes(people):
    for number in range(1, 7):
        people.write(f"mpi_inf_3dhp/test/TS{number}.tfrecord", 1)
    found = protocols.find(people.data_dir, "mpi_inf_3dhp")
    assert [recording.group for recording in found.recordings] == [
        "green screen",
        "green screen",
        "no green screen",
        "no green screen",
        "outdoors",
        "outdoors",
    ]
    assert not found.missing


def test_training_people_can_be_evaluated_too(people):
    people.write("mpii/train_000.tfrecord", 1, has_3d=False)
    people.write("mpi_inf_3dhp/train/train_0000.tfrecord", 1)
    found = protocols.find(people.data_dir, "mpii", split="train")
    assert not found.has_3d and found.name == "mpii_train"
    assert protocols.find(people.data_dir, "mpi_inf_3dhp", split="train").has_3d


def test_the_papers_order_is_that_of_the_alphabet():
    """Of the tables of Human3.6M papers, where two actions are called Photo and WalkDog."""
    called = {"TakingPhoto": "Photo", "WakingDog": "WalkDog"}
    names = [called.get(name, name).lower() for name in protocols.PAPER_ACTIONS]
    assert names == sorted(names)


def test_protocol_1_has_both_trials_and_four_cameras():
    """Kanazawa et al. 2018, section 4: P1 all four views, P2 the frontal one."""
    endings = {name.split("_", 2)[2] for name in protocols.human36m_recordings(1)}
    assert endings == {f"{trial}_cam{camera}" for trial in (0, 1) for camera in range(4)}


def test_human36m_means_are_of_recordings_and_those_of_3dhp_of_frames(people):
    """The original averages an action over its sequences; Mehta et al. 2017 over all frames."""
    people.write(f"{TEST}/S9_Eating_0_cam3.tfrecord", 1)
    people.write("mpi_inf_3dhp/test/TS1.tfrecord", 1)
    h36m = protocols.find(people.data_dir, "h36m")
    assert h36m.equal_recordings and h36m.has_3d and h36m.grouped_by == "action"
    assert h36m.groups == tuple(protocols.PAPER_ACTIONS)
    assert h36m.columns == ("mpjpe_mm", "pa_mpjpe_mm")
    assert len(h36m.missing) == 238 and h36m.name == "h36m_protocol1"
    ours = protocols.find(people.data_dir, "mpi_inf_3dhp")
    assert not ours.equal_recordings and ours.has_3d and ours.grouped_by == "scene"
    assert ours.groups == ("green screen", "no green screen", "outdoors")
    assert ours.columns[:3] == ("mpjpe_mm", "pck_150mm", "auc")
    assert ours.columns[3:] == tuple(f"pa_{column}" for column in ours.columns[:3])
    assert len(ours.missing) == 5
    assert ours.activities[0] == "Stand/Walk" and len(ours.activities) == 7


def test_every_measure_in_a_table_is_one_that_is_computed():
    columns = (*protocols.ERRORS_3D, *protocols.ERRORS_2D, *protocols.ERRORS_3DHP)
    assert set(columns) <= set(summary.LABELS)


def test_people_of_a_2d_data_set_are_told_by_pixels_and_pck(people):
    people.write("lsp/test_000.tfrecord", 1, has_3d=False)
    people.write("mpi_inf_3dhp/train/train_0000.tfrecord", 1)
    lsp = protocols.find(people.data_dir, "lsp")
    assert lsp.columns == ("keypoint_px", "pck_torso", "pckh") and not lsp.has_3d
    assert lsp.people == "lsp_test" and lsp.grouped_by is None and not lsp.groups
    assert not lsp.equal_recordings and not lsp.activities
    ours = protocols.find(people.data_dir, "mpi_inf_3dhp", split="train")
    assert ours.columns == ("mpjpe_mm", "pa_mpjpe_mm", "keypoint_px") and ours.grouped_by is None
    assert ours.people == ours.name == "mpi_inf_3dhp_train"
