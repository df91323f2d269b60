"""Joint orders and mirror tables of every data set: the only place where joints have numbers."""

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class JointSet:
    """An ordered set of joint names; the prefixes `left_` and `right_` give the side.

    >>> LSP.index("right_hip")
    2
    >>> MPII.indices(LSP.names)[-2:]  # where MPII has the neck and the head top of LSP
    (8, 9)
    """

    names: tuple[str, ...]

    def __post_init__(self):
        if len(set(self.names)) != len(self.names):
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise ValueError(f"Joint names must be unique; listed twice: {', '.join(twice)}.")

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The position of the joint `name`."""
        try:
            return self.names.index(name)
        except ValueError:
            raise ValueError(
                f"There is no joint {name!r}; the joints are {', '.join(self.names)}."
            ) from None

    def indices(self, names: Iterable[str]) -> tuple[int, ...]:
        """The positions of `names`: `array[raw.indices(LSP.names)]` brings `raw` to LSP order."""
        return tuple(self.index(name) for name in names)

    @property
    def flipped(self) -> tuple[int, ...]:
        """The permutation that swaps left and right: `mirrored = joints[flipped]`."""
        return self.indices(_other_side(name) for name in self.names)


def _other_side(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    if name.startswith("right_"):
        return "left_" + name.removeprefix("right_")
    return name


def _joint_set(names: str) -> JointSet:
    return JointSet(tuple(names.split()))


# Leeds Sports Pose: the order of the records and of every 3-D evaluation.
LSP = _joint_set(
    "right_ankle right_knee right_hip left_hip left_knee left_ankle "
    "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist neck head_top"
)

FACE = _joint_set("nose left_eye right_eye left_ear right_ear")

# LSP and the face points of COCO: the keypoints that the model predicts.
COCO_PLUS = JointSet(LSP.names + FACE.names)

SMPL = _joint_set(
    "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 "
    "left_foot right_foot neck left_collar right_collar head left_shoulder right_shoulder "
    "left_elbow right_elbow left_wrist right_wrist left_hand right_hand"
)

# The points of an `annopoints.point` in order of their `id`; `neck` is called upper neck there.
MPII = _joint_set(
    "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax neck head_top "
    "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist"
)

COCO = _joint_set(
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle"
)

# The 32 points of a Human3.6M CDF file; the `_copy` points repeat another point.
H36M = _joint_set(
    "pelvis right_hip right_knee right_ankle right_toes right_toe_tip "
    "left_hip left_knee left_ankle left_toes left_toe_tip pelvis_copy torso neck head head_top "
    "neck_left_copy left_shoulder left_elbow left_wrist left_wrist_copy left_thumb "
    "left_hand left_hand_copy "
    "neck_right_copy right_shoulder right_elbow right_wrist right_wrist_copy right_thumb "
    "right_hand right_hand_copy"
)

# The 17 of them that the readers of human_dynamics keep in `gt_poses.pkl`.
H36M_17 = _joint_set(
    "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle torso neck head "
    "head_top left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
)

# The rows of SPIN's J_regressor_extra.npy: each name is that of the data set in which the point is
# labelled (hips to head_top LSP; pelvis and thorax MPII; spine, jaw and head Human3.6M).
SPIN_EXTRA = _joint_set("right_hip left_hip neck head_top pelvis thorax spine jaw head")

# The rows of SPIN's J_regressor_h36m.npy (its constants.py, H36M_TO_J17): the left leg comes
# first. Those of J_regressor_h36m_correct.npy, which other projects have, are `H36M_17`.
SPIN_H36M = _joint_set(
    "pelvis left_hip left_knee left_ankle right_hip right_knee right_ankle torso neck head "
    "head_top left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
)

# The 28 points of a training `annot.mat` of MPI-INF-3DHP.
MPI_INF_3DHP = _joint_set(
    "spine3 spine4 spine2 spine pelvis neck head head_top left_clavicle left_shoulder left_elbow "
    "left_wrist left_hand right_clavicle right_shoulder right_elbow right_wrist right_hand "
    "left_hip left_knee left_ankle left_foot left_toe right_hip right_knee right_ankle right_foot "
    "right_toe"
)

# The 17 points of a test `annot_data.mat` of MPI-INF-3DHP.
MPI_INF_3DHP_TEST = _joint_set(
    "head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle pelvis spine head"
)

# Pairs of LSP joints that are drawn as limbs.
LSP_LIMBS = tuple(
    LSP.indices(pair.split("-"))
    for pair in (
        "right_ankle-right_knee right_knee-right_hip left_hip-left_knee left_knee-left_ankle "
        "right_wrist-right_elbow right_elbow-right_shoulder left_shoulder-left_elbow "
        "left_elbow-left_wrist right_shoulder-neck left_shoulder-neck neck-head_top "
        "right_hip-left_hip right_shoulder-right_hip left_shoulder-left_hip"
    ).split()
)
