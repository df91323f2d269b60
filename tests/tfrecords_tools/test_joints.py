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


# Who hangs on whom, as the authors of each data set number it: SMPL's `kintree_table`; the
# `parents` of Human3.6M's 32 points (Ionescu et al. 2014, the release's skeleton); MPI-INF-3DHP's
# `joint_parents_o1` (mpii_get_joint_set.m), counted from 0 here.
SMPL_TREE = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
H36M_TREE = (
    *(-1, 0, 1, 2, 3, 4, 0, 6, 7, 8, 9, 0, 11, 12, 13, 14, 12, 16, 17, 18, 19, 20, 19, 22),
    *(12, 24, 25, 26, 27, 28, 27, 30),
)
MPI_INF_3DHP_TREE = (
    *(2, 0, 3, 4, 4, 1, 5, 6, 5, 8, 9, 10, 11, 5, 13, 14, 15, 16),
    *(4, 18, 19, 20, 21, 4, 23, 24, 25, 26),
)
LEGS_AND_ARMS = {"knee": "hip", "ankle": "knee", "elbow": "shoulder", "wrist": "elbow"}
TREES = {
    "SMPL": (
        SMPL_TREE,
        {"hip": "pelvis", "spine1": "pelvis", "spine2": "spine1", "spine3": "spine2"}
        | {"foot": "ankle", "neck": "spine3", "collar": "spine3", "head": "neck"}
        | {"shoulder": "collar", "hand": "wrist"},
    ),
    "H36M": (
        H36M_TREE,
        {"hip": "pelvis", "toes": "ankle", "toe_tip": "toes", "pelvis_copy": "pelvis"}
        | {"torso": "pelvis_copy", "neck": "torso", "head": "neck", "head_top": "head"}
        | {"neck_left_copy": "torso", "neck_right_copy": "torso"}
        | {"left_shoulder": "neck_left_copy", "right_shoulder": "neck_right_copy"}
        | {"wrist_copy": "wrist", "thumb": "wrist_copy", "hand": "wrist", "hand_copy": "hand"},
    ),
    "MPI_INF_3DHP": (
        MPI_INF_3DHP_TREE,
        {"spine3": "spine2", "spine4": "spine3", "spine2": "spine", "spine": "pelvis"}
        | {"pelvis": "pelvis", "neck": "spine4", "head": "neck", "head_top": "head"}
        | {"clavicle": "neck", "shoulder": "clavicle", "hand": "wrist", "hip": "pelvis"}
        | {"foot": "ankle", "toe": "foot"},
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_every_joint_hangs_on_the_one_that_the_data_set_says(name):
    order = getattr(joints, name)
    numbers, above = TREES[name]
    above = LEGS_AND_ARMS | above
    assert len(numbers) == len(order)
    for joint, parent in zip(order.names, numbers, strict=True):
        if parent == -1:
            assert joint == "pelvis"
        elif joint in above:
            assert order.names[parent] == above[joint], joint
        else:
            side, part = joint.split("_", 1)
            assert order.names[parent] in (f"{side}_{above[part]}", above[part]), joint


def test_points_that_are_no_lsp_joint_have_the_data_sets_numbers():
    """MPII's readme counts pelvis 6 and thorax 7; COCO's keypoints start with the face."""
    assert MPII.indices(["pelvis", "thorax"]) == (6, 7)
    assert COCO.indices(joints.FACE.names) == (0, 1, 2, 3, 4)
    assert COCO_PLUS.names == LSP.names + joints.FACE.names
    assert H36M_17.indices(["pelvis", "torso", "head"]) == (0, 7, 9)


def test_the_test_set_of_3dhp_has_its_own_order():
    """The `relevant` joints of mpii_get_joint_set.m, as points of the training set from 1."""
    relevant = (8, 6, 15, 16, 17, 10, 11, 12, 24, 25, 26, 19, 20, 21, 5, 4, 7)
    names = joints.MPI_INF_3DHP_TEST.names
    assert tuple(i + 1 for i in MPI_INF_3DHP.indices(names)) == relevant


def test_a_limb_joins_neighbours_and_has_its_mirror_image():
    limbs = {frozenset(limb) for limb in joints.LSP_LIMBS}
    assert limbs == {frozenset(LSP.flipped[i] for i in limb) for limb in limbs}
    bones = {(f"{s}_{a}", f"{s}_{b}") for s in ("left", "right") for a, b in LEGS_AND_ARMS.items()}
    trunk = {("neck", "head_top"), ("left_hip", "right_hip")}
    trunk |= {(f"{s}_shoulder", to) for s in ("left", "right") for to in ("neck", f"{s}_hip")}
    assert limbs == {frozenset(LSP.indices(pair)) for pair in bones | trunk}
