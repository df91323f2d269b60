"""Claims about joint orders: the numbers that the data sets and the original use."""

import pytest

from tfrecords_tools import joints
from tfrecords_tools.joints import COCO, COCO_PLUS, H36M, H36M_17, LSP, MPI_INF_3DHP, MPII, SMPL

ALL = [value for value in vars(joints).values() if isinstance(value, joints.JointSet)]


def test_flipping_twice_is_the_identity_and_swaps_the_sides():
    for order in ALL:
        assert [order.flipped[i] for i in order.flipped] == list(range(len(order)))
        for name, other in zip(order.names, order.flipped, strict=True):
            assert order.names[other].startswith("left_") == name.startswith("right_")


def test_the_orders_have_the_originals_numbers():
    assert (len(LSP), len(COCO_PLUS), len(SMPL)) == (14, 19, 24)
    assert LSP.flipped == (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13)
    assert COCO_PLUS.flipped[14:] == (14, 16, 15, 18, 17)
    assert MPII.indices(LSP.names) == (0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 8, 9)
    assert COCO.indices(LSP.names[:12]) == (16, 14, 12, 11, 13, 15, 10, 8, 6, 5, 7, 9)
    assert H36M_17.indices(LSP.names) == (3, 2, 1, 4, 5, 6, 16, 15, 14, 11, 12, 13, 8, 10)
    kept = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
    assert len(H36M) == 32 and H36M.indices(H36M_17.names) == kept
    one_based = (26, 25, 24, 19, 20, 21, 17, 16, 15, 10, 11, 12, 6, 8)
    assert tuple(i + 1 for i in MPI_INF_3DHP.indices(LSP.names)) == one_based


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match="'toe'.*head_top"):
        LSP.index("toe")
    with pytest.raises(ValueError, match="twice: a"):
        joints.JointSet(("a", "b", "a"))
