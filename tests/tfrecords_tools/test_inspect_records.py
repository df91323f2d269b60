"""Claims about `python -m tfrecords_tools.inspect`: the table and the contact sheet."""

import cv2
import numpy as np
import pytest

from tfrecords_tools import contact_sheet, joints
from tfrecords_tools.inspection import inspect, table, write_sheet
from tfrecords_tools.plan import ConversionError


def test_the_table_has_a_row_for_every_data_set(converted):
    rows = {line.split()[0]: line.split() for line in table(inspect(converted)).splitlines()}
    assert rows["lsp/train"][1:3] == ["6", "1"]
    assert rows["mpi_inf_3dhp/train"][1] == "6" and "image_3d" in rows["mpi_inf_3dhp/train"]
    assert rows["mocap_neutrMosh/neutrSMPL_CMU"][1] == "25"


def test_the_sheet_has_a_row_of_crops_for_every_data_set_with_pictures(converted, tmp_path):
    groups = inspect(converted, num_samples=8)
    write_sheet(groups, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape[1] == contact_sheet.CELL_PX * contact_sheet.COLUMNS
    assert sheet.shape[0] == 30 + 5 * (30 + contact_sheet.CELL_PX)


def test_right_and_left_limbs_differ_in_colour():
    image = np.zeros((100, 100, 3), np.uint8)
    keypoints, visible = np.zeros((19, 2)), np.zeros(19, bool)
    for name, point in (
        ("right_knee", (20, 20)),
        ("right_ankle", (20, 80)),
        ("left_knee", (80, 20)),
        ("left_ankle", (80, 80)),
    ):
        keypoints[joints.COCO_PLUS.index(name)] = point
        visible[joints.COCO_PLUS.index(name)] = True
    contact_sheet.draw_skeleton(image, keypoints, visible)
    right, left = image[50, 20].astype(int), image[50, 80].astype(int)
    assert right[2] > right[0] and left[0] > left[2]
    assert not image[50, 50].any()


def test_a_folder_without_records_is_an_error(tmp_path):
    with pytest.raises(ConversionError, match="no record file"):
        inspect(tmp_path)
