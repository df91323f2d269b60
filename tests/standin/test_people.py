"""Pictures of people: labels agree with pixels."""

import numpy as np
import pytest

from hmr_tf2.standin import appearance, motion, people, posing
from hmr_tf2.visualization.renderer import render
from tfrecords_tools import joints

SIZE = (160, 160)


def photo(seed, **options):
    return people.random_photo(np.random.default_rng(seed), SIZE, **options)


def studio_person(pose):
    """A figure of the mean shape, seen from the front, from 3 m."""
    rng = np.random.default_rng(0)
    figure = people.random_figure(rng, pose=pose, shape=np.zeros(10))
    camera = people.perspective(250, (79.5, 79.5), (0, 0, 3.2), people.UPRIGHT)
    scenery = np.full((*SIZE, 3), 255, np.uint8)
    return (
        figure,
        camera,
        people.photograph([figure], camera, scenery, appearance.random_lights(rng)),
    )


def test_same_seed_same_picture_and_labels():
    first, again, other = photo(1), photo(1), photo(2)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.people[0].keypoints_px, again.people[0].keypoints_px)
    assert (first.image != other.image).any()


def test_visible_keypoints_lie_on_the_silhouette():
    seen = on_body = 0
    for seed in range(12):
        person = photo(seed, variety=people.Variety(occluded=0.0)).people[0]
        column, row = np.round(person.keypoints_px[person.visible]).astype(int).T
        mask = person.mask
        for r, c in zip(row, column, strict=True):
            seen += 1
            on_body += mask[max(r - 2, 0) : r + 3, max(c - 2, 0) : c + 3].any()
    assert seen > 100
    assert on_body == seen


def test_hidden_face_points_of_a_person_seen_from_behind():
    pose = np.zeros(72)
    pose[1] = np.pi
    person = studio_person(pose)[2].people[0]
    index = joints.COCO_PLUS.index
    assert not person.visible[[index("nose"), index("left_eye"), index("right_eye")]].any()
    assert person.visible[[index("left_wrist"), index("right_knee"), index("head_top")]].all()


def test_the_face_is_visible_from_the_front():
    person = studio_person(np.zeros(72))[2].people[0]
    assert person.visible[list(joints.COCO_PLUS.indices(joints.LSP.names))].all()
    assert person.visible[
        [joints.COCO_PLUS.index(n) for n in ("nose", "left_eye", "right_eye")]
    ].all()


def test_the_far_leg_is_hidden_from_the_side():
    pose = np.zeros(72)
    pose[1] = np.pi / 2  # the left side turns away from the camera
    figure, camera, shot = studio_person(pose)
    person = shot.people[0]
    near, far = (
        ("right", "left")
        if camera.project(figure.points("keypoints"))[1][joints.COCO_PLUS.index("left_hip")] > 3.2
        else ("left", "right")
    )
    assert person.visible[joints.COCO_PLUS.index(f"{near}_knee")]
    assert not person.visible[joints.COCO_PLUS.index(f"{far}_knee")]


def test_camera_pose_gives_the_camera_frame_body():
    """SMPL(pose, shape) differs from what the camera sees by a shift only."""
    for seed in range(4):
        person = photo(seed).people[0]
        posed = posing.standin_poser().pose(person.shape, person.pose)
        difference = person.keypoints_m - posed.keypoints
        assert np.ptp(difference, axis=0).max() < 1e-4
        difference = person.joints_m - posed.joints
        assert np.ptp(difference, axis=0).max() < 1e-4


def test_camera_frame_bodies_have_y_down():
    person = studio_person(np.zeros(72))[2].people[0]
    index = joints.COCO_PLUS.index
    assert person.keypoints_m[index("head_top"), 1] < person.keypoints_m[index("left_ankle"), 1]
    assert person.keypoints_px[index("head_top"), 1] < person.keypoints_px[index("left_ankle"), 1]
    assert (
        person.keypoints_px[index("left_wrist"), 0] > person.keypoints_px[index("right_wrist"), 0]
    )


def test_keypoints_outside_the_picture_are_not_visible():
    close = photo(3, height_share=(2.0, 2.1)).people[0]
    x, y = close.keypoints_px.T
    outside = (x < -0.5) | (x >= SIZE[1] - 0.5) | (y < -0.5) | (y >= SIZE[0] - 0.5)
    assert outside.any() and not close.visible[outside].any()


def test_occluders_hide_what_lies_under_them():
    hidden = [photo(seed, variety=people.Variety(occluded=1.0)).people[0] for seed in range(8)]
    free = [photo(seed, variety=people.Variety(occluded=0.0)).people[0] for seed in range(8)]
    assert sum(p.visible.sum() for p in hidden) < sum(p.visible.sum() for p in free)


def test_masks_of_several_people_do_not_overlap():
    shot = photo(5, num_people=3, height_share=(0.6, 0.7))
    assert len(shot.people) == 3
    assert sum(person.mask.astype(int) for person in shot.people).max() <= 1


def test_colors_lie_in_range_and_vary_by_region():
    colors = appearance.random_colors(np.random.default_rng(0))
    assert colors.shape == (6890, 3) and colors.min() >= 0 and colors.max() <= 1
    assert len(np.unique(colors, axis=0)) >= 4


@pytest.mark.parametrize("kind", ["stand", "dance", "sit"])
def test_silhouette_of_the_picture_is_that_of_the_renderer(kind):
    pose = motion.clip(kind, 1, np.random.default_rng(2))[0]
    figure, camera, shot = studio_person(pose)
    alone = render(figure.points("vertices"), posing.standin_poser().faces, camera, SIZE)
    np.testing.assert_array_equal(shot.people[0].mask, alone.silhouette > 0.5)
