"""Pictures of what a training step makes of its batch, as the original shows them."""

import cv2
import numpy as np

from hmr_tf2.visualization import overlay

NUM_SHOWN = 6


def shown_rows(batch_size: int) -> list[int]:
    """Which of a batch are shown: three from its front, three from its end, backwards.

    Source: akanazawa/hmr src/trainer.py, `show_these`.
    """
    half = NUM_SHOWN // 2
    rows = [*range(half), *range(batch_size - 1, batch_size - half - 1, -1)]
    return [row for row in dict.fromkeys(rows) if 0 <= row < batch_size]


def draw_stages(
    crop: np.ndarray,
    label: np.ndarray,
    joints: np.ndarray,
    vertices: np.ndarray,
    cams: np.ndarray,
    faces: np.ndarray,
) -> np.ndarray:
    """The input, and beside it each stage's skeleton and mesh: RGB uint8 [2 S, (1 + T) S, 3].

    Upper row: the true skeleton, then the skeletons of the stages with their mean distance from
    the visible true points. Lower row: the input, then the meshes.

    Args:
        crop: RGB uint8 [S, S, 3].
        label: float [K, 3], true points in pixels and their visibility.
        joints: float [T, K, 2], pixels.
        vertices: float [T, V, 3], metres.
        cams: float [T, 3], `[s, tx, ty]`.
        faces: int [F, 3].
    """
    visible = label[:, 2] > 0
    upper = [_captioned(overlay.draw_skeleton(crop, label[:, :2], visible), "truth")]
    lower = [crop]
    for stage, (points, body, camera) in enumerate(zip(joints, vertices, cams, strict=True)):
        caption = f"stage {stage}"
        if visible.any():
            apart = np.linalg.norm(points - label[:, :2], axis=1)[visible]
            caption += f": {apart.mean():.1f} px"
        upper.append(_captioned(overlay.draw_skeleton(crop, points), caption))
        finite = np.isfinite(body).all() and np.isfinite(camera).all()
        mesh = overlay.draw_mesh(crop, body, camera, faces) if finite else crop
        lower.append(_captioned(mesh, "s {:.2f}  t {:.2f} {:.2f}".format(*camera)))
    return np.vstack([np.hstack(upper), np.hstack(lower)])


def _captioned(picture: np.ndarray, text: str) -> np.ndarray:
    picture = picture.copy()
    scale = len(picture) / 450
    at = (round(6 * scale) + 2, round(26 * scale) + 2)
    for color, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(
            picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, color, thickness, cv2.LINE_AA
        )
    return picture
