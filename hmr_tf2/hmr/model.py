"""The HMR model: encoder, regressor, body and discriminator, and their losses."""

from collections.abc import Collection
from typing import NamedTuple

import tensorflow as tf

from hmr_tf2 import camera, losses
from hmr_tf2.checkpoints import tf1, weights
from hmr_tf2.data import labels
from hmr_tf2.hmr.config import HMRConfig
from hmr_tf2.networks import discriminator, regressor
from hmr_tf2.networks.discriminator import Discriminator_separable_rotations
from hmr_tf2.networks.encoders import make_encoder
from hmr_tf2.networks.regressor import Encoder_fc3_dropout
from hmr_tf2.smpl import SMPL, PosedBody, mean_theta
from hmr_tf2.theta import decode_theta, pose_to_rotations, split_theta
from hmr_tf2.trained_model import TrainedModel, kernels, layer_policy


class Stages(NamedTuple):
    """The bodies of all T stages of the regressor: T * N rows, the N rows of stage 0 first.

    `cams` is [T * N, 3] and `shape` [T * N, 10]; `body` is what `SMPL.pose` returned; `joints3d`
    is [T * N, K, 3] in metres, and `joints` [T * N, K, 2] in [-1, 1] of the crop.
    """

    cams: tf.Tensor
    shape: tf.Tensor
    body: PosedBody
    joints3d: tf.Tensor
    joints: tf.Tensor


class HMR(TrainedModel):
    """Human mesh recovery from one picture (Kanazawa et al. 2018).

    >>> model = HMR(HMRConfig(smpl_model_path="models/neutral_smpl_with_cocoplus_reg.pkl"))
    >>> out = model.predict(images)      # verts, joints, cams, joints3d, theta
    >>> model.compile()
    >>> model.fit(batches)               # see hmr_tf2.data

    Args:
        config: settings; `smpl_model_path` is required, and `neutral_smpl_mean_params.h5` is read
            from beside it.

    Raises:
        ValueError, OSError: a model file is missing or damaged.
    """

    def __init__(self, config: HMRConfig):
        super().__init__(config, name="hmr")
        if not config.smpl_model_path:
            raise ValueError(
                "--smpl_model_path is needed: an SMPL file such as "
                "neutral_smpl_with_cocoplus_reg.pkl. `python -m hmr_tf2.quickstart` makes a "
                "stand-in to try things with."
            )
        self.smpl = SMPL(config.smpl_model_path, config.joint_type, config.keypoint_regressor)
        several_devices = tf.distribute.get_strategy().num_replicas_in_sync > 1
        with layer_policy(config.mixed_precision):
            self.encoder = make_encoder(
                config.model_type,
                config.img_size,
                config.bn_momentum,
                sync_batch_norm=config.sync_batch_norm and several_devices,
            )
            self.regressor = Encoder_fc3_dropout(
                mean_theta(config.smpl_model_path), config.num_stage, config.dropout_rate
            )
        self.discriminator = None if config.encoder_only else Discriminator_separable_rotations()
        self._build_networks()

    @tf.autograph.experimental.do_not_convert
    def _build_networks(self):
        """Creates every variable now, so that checkpoints can be loaded before the first batch."""
        self.regressor(tf.zeros([1, self.encoder.output_shape[-1]]))
        if self.discriminator is not None:
            self.discriminator(tf.zeros([1, 23, 3, 3]), tf.zeros([1, 10]))
        self.build((None, self.config.img_size, self.config.img_size, 3))

    @property
    def encoder_variables(self) -> list[tf.Variable]:
        """The variables that e_loss trains: the encoder's, the regressor's and its mean theta."""
        return self.encoder.trainable_variables + self.regressor.trainable_variables

    def call(self, images, training=False):
        """Recovers the body in each picture.

        Args:
            images: float32 [N, 224, 224, 3] in [-1, 1].
            training: whether batch norms use the statistics of the batch. Leave it False to
                predict; the training step does not pass through here.

        Returns:
            See `decode_theta`.
        """
        features = self.encoder(images, training=training)
        return decode_theta(self.smpl, self.regressor(features)[-1], self.config.img_size)

    def parts(self) -> dict[str, list[tf.Variable]]:
        """`e` is encoder and regressor with its mean; `d` the discriminator, if there is one."""
        parts = {"e": self.encoder_variables}
        if self.discriminator is not None:
            parts["d"] = self.discriminator.trainable_variables
        return parts

    def checkpoint_parts(self) -> dict[str, tf.Module]:
        """The networks. The body is not saved: it is read from the SMPL file."""
        parts = {"encoder": self.encoder, "regressor": self.regressor}
        if self.discriminator is not None:
            parts["discriminator"] = self.discriminator
        return parts

    def weight_slots(
        self, kind: str, present: Collection[str] | None = None
    ) -> dict[str, weights.Slot]:
        """The weights by the names of the original's training graph; see `TrainedModel`.

        Of a checkpoint without a discriminator, or of Slim's ResNet, only the weights that such a
        file holds are wanted.
        """
        if kind != tf1.KIND:
            return super().weight_slots(kind, present)
        encoder = weights.slim_slots([self.encoder])
        rest = {
            "mean_param": weights.Slot(self.regressor.mean_param),
            **weights.slim_slots([self.regressor]),
        }
        critic = discriminator_slots(self.discriminator) if self.discriminator else {}
        if present is not None:
            if self.holds_encoder_only(present):
                return encoder
            if not any(name.startswith(f"{discriminator.SCOPE}/") for name in present):
                critic = {}
        return {**encoder, **rest, **critic}

    def holds_encoder_only(self, present: Collection[str]) -> bool:
        """Whether a file with these names holds the encoder and no more, as Slim's ResNets do."""
        beyond = (f"{regressor.SCOPE}/", f"{discriminator.SCOPE}/", "mean_param")
        return any(name.startswith(f"{self.encoder.name}/") for name in present) and not any(
            name.startswith(beyond) for name in present
        )

    def train_stages(self, images) -> Stages:
        """The bodies of every stage in the forward pass of the next training step.

        Batch norms use the statistics of `images` and update their averages (unless `freeze_bn`);
        dropout is that of the step.
        """
        features = self.encoder(images, training=not self.config.freeze_bn)
        stages = self.regressor(features, training=True, seed=self.dropout_seed())
        # Stacked, so that body and camera are computed once for T * N rows, not T times for N.
        cams, pose, shape = split_theta(tf.concat(stages, axis=0))
        body = self.smpl.pose(shape, pose)
        joints3d = self.smpl.keypoints_of(body)
        joints = camera.batch_orth_proj_idrot(joints3d, cams)
        return Stages(cams, shape, body, joints3d, joints)

    def compute_losses(self, batch):
        """The losses of one training forward pass (paper sections 3.2 and 3.3).

            L_e = e_loss_weight * L_reproj + e_3d_weight * (L_smpl + L_joints)
                  + d_loss_weight * L_adv(E)
            L_d = d_loss_weight * (L_real + L_fake)

        Args:
            batch: dict with `image` [N, 224, 224, 3] in [-1, 1] and `label` [N, K, 3]; with
                `use_3d_label` also `label3d` [N, 268] and `has3d` [N, 2]; without `encoder_only`
                also `mocap_pose` [M, 72] and `mocap_shape` [M, 10], M = N * num_stage.

        Returns:
            See `TrainedModel.compute_losses`; the names are the original's.
        """
        config = self.config
        # `has3d` is bool and inputs from NumPy may be float64; the losses are float32 throughout.
        batch = {name: tf.cast(value, tf.float32) for name, value in batch.items()}
        stages = self.train_stages(batch["image"])

        # With joint_type 'lsp' only the first 14 of the 19 labelled points are predicted.
        label = batch["label"][:, : stages.joints.shape[1]]
        # Of all stages, since each one's is logged; a stage whose loss enters nothing else costs
        # no gradient.
        kp_by_stage = [
            losses.keypoint_l1_loss(label, points)
            for points in tf.split(stages.joints, config.num_stage)
        ]
        # KEEP: only the last stage enters the 2-D and 3-D losses, so the stages before it learn
        # only through the theta that they pass on (akanazawa/hmr src/trainer.py:277-290). A loss
        # on every stage would reward large early corrections that overshoot (paper section 3.2).
        logs = {"e_loss_kp": config.e_loss_weight * kp_by_stage[-1]}
        if config.use_3d_label:
            logs |= self._losses_3d(stages, batch["label3d"], batch["has3d"])
        # The logs of these losses contain their weights; those of the adversarial ones below do
        # not. This follows the original's names, and `tensorboard.SCALARS` undoes it.
        of_part = {"e": tf.add_n(list(logs.values()))}
        if self.discriminator is not None:
            # Here all stages count: every correction should lead to a body that looks human.
            adversarial = self._adversarial_losses(stages, batch)
            of_part["e"] += config.d_loss_weight * adversarial["e_loss_disc"]
            # The weight scales the discriminator's loss too. Adam's updates hardly depend on the
            # scale of a loss, so it sets the balance of the encoder's losses only.
            of_part["d"] = config.d_loss_weight * (
                adversarial["d_loss_real"] + adversarial["d_loss_fake"]
            )
            logs |= adversarial
        if config.apply_weight_decay:
            of_part = self._with_weight_decay(of_part)
        if "d" in of_part:
            logs["d_loss"] = of_part["d"]
        logs |= {f"kp_loss_stage{stage}": loss for stage, loss in enumerate(kp_by_stage)}
        return of_part, {"e_loss": of_part["e"], **logs}

    def _losses_3d(self, stages: Stages, label3d, has3d):
        """Weighted losses of rotations and shape, and of the 14 joints (paper section 3.2)."""
        # As for keypoints, of the last stage only.
        Rs, betas, joints3d = (
            tf.split(of_all, self.config.num_stage)[-1]
            for of_all in (stages.body.Rs, stages.shape, stages.joints3d)
        )
        truth = labels.split_label(label3d)
        # Relative to the pelvis, since predicted bodies are at the origin and labelled ones
        # somewhere in front of a camera. Both have metres and the axes of the camera.
        aligned, aligned_gt = (
            tf.reshape(losses.align_by_pelvis(joints), [-1, 14 * 3])
            for joints in (joints3d[:, :14], truth.joints)
        )
        # Rotations are compared as matrices: axis-angle vectors of nearly the same rotation may be
        # 2 pi apart. The two losses have a `has3d` flag each, since many records have joints but
        # no SMPL parameters. Each is a mean over its own entries, 226 and 42 per example.
        smpl = losses.compute_3d_loss(labels.smpl_part(Rs, betas), truth.smpl, has3d[:, 1])
        joints = losses.compute_3d_loss(aligned, aligned_gt, has3d[:, 0])
        weight = self.config.e_3d_weight
        return {"e_loss_3d": weight * smpl, "e_loss_3d_joints": weight * joints}

    def _adversarial_losses(self, stages: Stages, batch):
        """Least-squares GAN losses (paper section 3.3).

        The encoder wants its bodies to be rated 1; the discriminator wants motion capture to be
        rated 1 and the same bodies 0.
        """
        # One pass of the discriminator serves all three losses, with no `stop_gradient`: each part
        # differentiates its loss with respect to its own variables only (`train_step`).
        real, fake = self.discriminate(
            stages.body.Rs, stages.shape, batch["mocap_pose"], batch["mocap_shape"]
        )
        return {
            "e_loss_disc": losses.squared_distance_to(fake, 1.0),
            "d_loss_real": losses.squared_distance_to(real, 1.0),
            "d_loss_fake": losses.squared_distance_to(fake, 0.0),
        }

    def _with_weight_decay(self, of_part):
        decay = {"e": self.config.e_wd, "d": self.config.d_wd}
        return {
            part: loss + losses.weight_decay(kernels(self.parts()[part]), decay[part])
            for part, loss in of_part.items()
        }

    def discriminate(self, fake_Rs, fake_shapes, mocap_pose, mocap_shape):
        """The discriminator's outputs for mocap [M, 25] and for bodies [M', 25], from one pass.

        The columns are 23 joints, all joints together, and the shape.
        """
        real_Rs = pose_to_rotations(mocap_pose)
        # Without the root: which way a body faces says nothing about whether it is human.
        d_out = self.discriminator(
            tf.concat([real_Rs, fake_Rs], axis=0)[:, 1:],
            tf.concat([mocap_shape, fake_shapes], axis=0),
        )
        return tf.split(d_out, [tf.shape(real_Rs)[0], tf.shape(fake_Rs)[0]])


def discriminator_slots(network: Discriminator_separable_rotations) -> dict[str, weights.Slot]:
    """The discriminator's weights by the original's names, where each joint has its own layer."""
    slots = weights.slim_slots([network])
    for joint in range(discriminator.NUM_JOINTS):
        scope = f"{discriminator.SCOPE}/pose_out_j{joint}"
        slots[f"{scope}/weights"] = weights.Slot(network.pose_out_weights, joint)
        slots[f"{scope}/biases"] = weights.Slot(network.pose_out_biases, joint)
    return slots
