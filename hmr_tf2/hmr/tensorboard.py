"""What HMR shows in TensorBoard: losses under the original's names, pictures, histograms."""

from collections.abc import Mapping

import cv2
import numpy as np

from hmr_tf2 import camera
from hmr_tf2.crops import to_pixels
from hmr_tf2.visualization import overlay
from tfrecords_tools import joints

# Our name of a loss -> the original's TensorBoard tag, and the weight that it divides by there.
SCALARS = {
    "e_loss": ("loss/e_loss", None),
    "e_loss_kp": ("loss/e_loss_kp_noscale", "e_loss_weight"),
    "e_loss_3d": ("loss/e_loss_3d_params_noscale", "e_3d_weight"),
    "e_loss_3d_joints": ("loss/e_loss_3d_joints_noscale", "e_3d_weight"),
    # KEEP: divided although it was never multiplied (akanazawa/hmr src/trainer.py:351).
    "e_loss_disc": ("loss/e_loss_disc", "d_loss_weight"),
    "d_loss": ("loss/d_loss", None),
    "d_loss_fake": ("loss/d_loss_fake", None),
    "d_loss_real": ("loss/d_loss_real", None),
}
STAGE_PREFIX = "kp_loss_stage"
STAGE_TAG = "loss/e_losses_noscale/{}"

# Columns of the discriminator's output; the last two have the original's names.
D_OUTPUTS = (*joints.SMPL.names[1:], "all_joints", "beta")

# How many examples of a batch are drawn.
NUM_SHOWN = 6


def original_scalars(logs: Mapping[str, float], config) -> dict[str, float]:
    """The losses of a step under the original's tags, divided by the weights as it does there.

    Args:
        logs: what `HMR.train_step` returned; a loss that the original lacks gets `loss/<name>`.
            Validation errors are skipped, since they have tags of their own.
        config: the settings, with the weights.
    """
    scalars = {}
    for name, value in logs.items():
        if name in SCALARS:
            tag, weight = SCALARS[name]
            divisor = getattr(config, weight) if weight else 1.0
            scalars[tag] = value / divisor if divisor else 0.0
        elif name.startswith(STAGE_PREFIX):
            scalars[STAGE_TAG.format(name)] = value
        elif not name.startswith("val_"):
            scalars[f"loss/{name}"] = value
    return scalars


def draw(model, batch) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Draws what the next training step will predict for `batch`.

    Returns:
        A picture for each of `shown_rows`, see `draw_stages`; and by tag, `d_out/<joint>/real`
        and `d_out/<joint>/fake`, the discriminator's outputs for motion capture and for the
        bodies of all stages: float [M].
    """
    stages = model.train_stages(batch["image"])
    return draw_batch(model, batch, stages), discriminator_outputs(model, batch, stages)


def draw_batch(model, batch, stages) -> list[np.ndarray]:
    """A picture for each of `shown_rows`; `stages` is what `HMR.train_stages` returned."""
    size, count = model.config.img_size, len(batch["image"])
    rows = shown_rows(count)
    # Stage 0's rows lie first: [T, rows].
    picked = np.add.outer(np.arange(model.config.num_stage) * count, rows)
    vertices = model.smpl.vertices_of(stages.body.take(picked.reshape(-1))).numpy()
    vertices = vertices.reshape(*picked.shape, *vertices.shape[1:])
    points = camera.crop_to_pixels(stages.joints, size).numpy()[picked]
    cams = stages.cams.numpy()[picked]
    label = batch["label"].numpy()[rows][:, : points.shape[2]]
    label[..., :2] = camera.crop_to_pixels(label[..., :2], size)
    crops = to_pixels(batch["image"].numpy()[rows])
    return [
        draw_stages(crops[i], label[i], points[:, i], vertices[:, i], cams[:, i], model.smpl.faces)
        for i in range(len(rows))
    ]


def discriminator_outputs(model, batch, stages) -> dict[str, np.ndarray]:
    """See `draw`; empty without a discriminator."""
    if model.discriminator is None:
        return {}
    real, fake = model.discriminate(
        stages.body.Rs, stages.shape, batch["mocap_pose"], batch["mocap_shape"]
    )
    return {
        f"d_out/{name}/{kind}": values[:, column].numpy()
        for kind, values in (("real", real), ("fake", fake))
        for column, name in enumerate(D_OUTPUTS)
    }


def shown_rows(batch_size: int) -> list[int]:
    """Which rows of a batch are shown: the first three, then the last three in reverse.

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

    The upper row shows the true skeleton, then each stage's skeleton with its mean distance from
    the visible true points; the lower row shows the input, then each stage's mesh.

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
    for stage, (points, body, cam) in enumerate(zip(joints, vertices, cams, strict=True)):
        caption = f"stage {stage}"
        if visible.any():
            apart = np.linalg.norm(points - label[:, :2], axis=1)[visible]
            caption += f": {apart.mean():.1f} px"
        upper.append(_captioned(overlay.draw_skeleton(crop, points), caption))
        finite = np.isfinite(body).all() and np.isfinite(cam).all()
        mesh = overlay.draw_mesh(crop, body, cam, faces) if finite else crop
        lower.append(_captioned(mesh, "s {:.2f}  t {:.2f} {:.2f}".format(*cam)))
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
