"""The overview picture."""

import cv2
import numpy as np

from hmr_tf2.standin import contact_sheet


def test_sheet_has_four_full_rows_and_is_the_same_for_a_seed(tmp_path):
    contact_sheet.write_contact_sheet(tmp_path / "sheet.png", seed=1)
    image = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1]
    height, width = contact_sheet.CELL
    assert image.shape == (4 * height, 8 * width, 3)
    np.testing.assert_array_equal(image, contact_sheet.contact_sheet(seed=1))
    cells = image.reshape(4, height, 8, width, 3)
    assert (cells.std(axis=(1, 3)).max(-1) > 5).all()  # no cell is empty
