"""Pictures of predictions: what is drawn lies where the prediction says."""

import numpy as np

from hmr_tf2.visualization import overlay
from tfrecords_tools import joints

GREY = np.full((120, 100, 3), 128, np.uint8)


def test_limbs_run_between_their_joints():
    points = np.full((14, 2), 20.0)
    points[joints.LSP.index("left_knee")] = [20, 90]
    drawn = overlay.draw_skeleton(GREY, points)
    # OpenCV blends in fixed point, so a full colour may miss a level.
    assert np.abs(drawn[60, 20].astype(int) - overlay.LEFT_COLOR).max() <= 1
    assert (drawn[60, 40:] == 128).all()


def test_left_and_right_differ_in_colour():
    names = joints.LSP.names
    for start, end in joints.LSP_LIMBS:
        sides = {names[start].split("_")[0], names[end].split("_")[0]}
        color = overlay._side_color(start, end)
        assert (color == overlay.LEFT_COLOR) == (sides == {"left"})
        assert (color == overlay.RIGHT_COLOR) == (sides == {"right"})


def test_hidden_joints_and_their_limbs_are_not_drawn():
    points = np.tile([[50.0, 10.0], [50.0, 110.0]], (7, 1))
    drawn = overlay.draw_skeleton(GREY, points, visible=np.zeros(14, bool))
    np.testing.assert_array_equal(drawn, GREY)


def test_points_far_outside_or_not_finite_do_not_harm():
    points = np.full((14, 2), 1e12)
    points[3] = np.nan
    assert overlay.draw_skeleton(GREY, points).shape == GREY.shape


def test_the_mesh_is_drawn_where_its_projection_lies():
    corners = np.array([[0, 0, 0], [0.2, 0, 0], [0.2, 0.2, 0], [0, 0.2, 0]], float)
    faces = np.array([[0, 2, 1], [0, 3, 2], [0, 1, 2], [0, 2, 3]])
    picture = np.full((100, 100, 3), 255, np.uint8)
    drawn = overlay.draw_mesh(picture, corners, np.array([1.0, 0.3, -0.5]), faces)
    covered = np.argwhere((drawn != 255).any(-1))
    # s (x + tx) in [-1, 1] of 100 pixels: x from 65 to 75, y from 25 to 35.
    np.testing.assert_allclose(covered.min(0), [25, 65], atol=1)
    np.testing.assert_allclose(covered.max(0), [35, 75], atol=1)
