"""The HMR model: encoder, regressor, body and discriminator, and the step that trains them."""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

from hmr_tf2 import camera, losses, replicas, updates
from hmr_tf2.config import HMRConfig
from hmr_tf2.networks.discriminator import Discriminator_separable_rotations
from hmr_tf2.networks.regressor import Encoder_fc3_dropout, split_theta
from hmr_tf2.networks.resnet_v2 import Encoder_resnet
from hmr_tf2.networks.small_resnet import Encoder_small_resnet
from hmr_tf2.smpl import SMPL, PosedBody, batch_rodrigues, mean_theta

NUM_ROTATION_ENTRIES = 24 * 9
NUM_SMPL_LABELS = NUM_ROTATION_ENTRIES + 10  # and 14 * 3 joint coordinates behind them
ADAM_EPSILON = 1e-8
ENCODERS = {
    "resnet_fc3_dropout": Encoder_resnet,
    "small_resnet_fc3_dropout": Encoder_small_resnet,
}


class Stages(NamedTuple):
    """The bodies of all T stages of the regressor, stage 0's N rows first: T * N rows.

    `cams` [., 3] and `shape` [., 10]; `body`, what `SMPL.pose` returned; `joints3d` [., K, 3] in
    metres and `joints` [., K, 2] in [-1, 1] of the crop.
    """

    cams: tf.Tensor
    shape: tf.Tensor
    body: PosedBody
    joints3d: tf.Tensor
    joints: tf.Tensor


class HMR(keras.Model):
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
        super().__init__(name="hmr", dtype="float32")
        if not config.smpl_model_path:
            raise ValueError(
                "--smpl_model_path is needed: an SMPL file such as "
                "neutral_smpl_with_cocoplus_reg.pkl. `python -m hmr_tf2.quickstart` makes a "
                "stand-in to try things with."
            )
        self.config = config
        # `train_step` returns losses of all replicas; Keras would sum them once more.
        self.distribute_reduction_method = "first"
        self.smpl = SMPL(config.smpl_model_path, config.joint_type)
        several_devices = tf.distribute.get_strategy().num_replicas_in_sync > 1
        with _layer_policy(config.mixed_precision):
            self.encoder = ENCODERS[config.model_type](
                config.img_size,
                config.bn_momentum,
                sync_batch_norm=config.sync_batch_norm and several_devices,
            )
            self.regressor = Encoder_fc3_dropout(
                mean_theta(config.smpl_model_path), config.num_stage, config.dropout_rate
            )
        self.discriminator = None if config.encoder_only else Discriminator_separable_rotations()
        self._build_networks()

    def _build_networks(self):
        """Makes every variable now, so that checkpoints load before the first batch."""
        self.regressor(tf.zeros([1, self.encoder.output_shape[-1]]))
        if self.discriminator is not None:
            self.discriminator(tf.zeros([1, 23, 3, 3]), tf.zeros([1, 10]))
        self.build((None, self.config.img_size, self.config.img_size, 3))

    @property
    def encoder_variables(self) -> list[tf.Variable]:
        """What e_loss trains: encoder, regressor and its mean."""
        return self.encoder.trainable_variables + self.regressor.trainable_variables

    def call(self, images, training=False):
        """Recovers the body in each picture.

        Args:
            images: float32 [N, 224, 224, 3] in [-1, 1].
            training: use batch statistics; leave it to `train_step`.

        Returns:
            See `decode_theta`.
        """
        features = self.encoder(images, training=training)
        return decode_theta(self.smpl, self.regressor(features)[-1], self.config.img_size)

    def compile(self, e_lr=None, d_lr=None, **kwargs):
        """Makes both Adam optimisers; `optimizer` is the encoder's.

        The legacy class is TF 1's: one fused kernel a variable, epsilon outside the correction.

        Args:
            e_lr: learning rate or schedule of encoder and regressor; none means the config's.
            d_lr: the discriminator's.
            **kwargs: as of `keras.Model.compile`.
        """
        adam = keras.optimizers.legacy.Adam
        optimizer = adam(self.config.e_lr if e_lr is None else e_lr, epsilon=ADAM_EPSILON)
        if self.config.mixed_precision == "float16":
            optimizer = updates.LossScaleOptimizer(optimizer)
        super().compile(optimizer=optimizer, **kwargs)
        self.d_optimizer = None
        if self.discriminator is not None:
            self.d_optimizer = adam(
                self.config.d_lr if d_lr is None else d_lr, epsilon=ADAM_EPSILON
            )

    def build_optimizers(self):
        """Makes the optimisers' slots now rather than in the first step."""
        for optimizer, variables in self._optimised():
            optimizer._create_all_weights(variables)

    def _optimised(self):
        pairs = [(self.optimizer, self.encoder_variables)]
        if self.discriminator is not None:
            pairs.append((self.d_optimizer, self.discriminator.trainable_variables))
        return pairs

    def train_step(self, data):
        """Applies both updates from one forward pass with the old weights.

        Args:
            data: dict with `image` (N,224,224,3) in [-1, 1], `label` (N,K,3), with `use_3d_label`
                `label3d` (N,268) and `has3d` (N,2), without `encoder_only` `mocap_pose` (M,72)
                and `mocap_shape` (M,10), M = N * num_stage.

        Returns:
            dict of this step's losses before its update, under the names of the original.
        """
        batch, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as e_tape, tf.GradientTape() as d_tape:
            e_loss, d_loss, logs = self.compute_losses(batch)
            e_loss = updates.scaled_loss(self.optimizer, e_loss)
        passes = zip(self._optimised(), (e_tape, d_tape), (e_loss, d_loss), strict=False)
        gradients = [
            updates.gradients(
                tape, optimizer, loss, variables, self.config.clip_norm, self.config.deterministic
            )
            for (optimizer, variables), tape, loss in passes
        ]
        for (optimizer, variables), of_variables in zip(self._optimised(), gradients, strict=True):
            optimizer.apply_gradients(
                zip(of_variables, variables, strict=True), experimental_aggregate_gradients=False
            )
        return replicas.total(logs)

    def train_stages(self, images) -> Stages:
        """Every stage's bodies in the forward pass of the next training step.

        Batch norms use the statistics of `images` and move their averages; dropout is that step's.
        """
        features = self.encoder(images, training=not self.config.freeze_bn)
        stages = self.regressor(features, training=True, seed=self._dropout_seed())
        # Stacked, so that the body is computed once.
        cams, pose, shape = split_theta(tf.concat(stages, axis=0))
        body = self.smpl.pose(shape, pose)
        joints3d = self.smpl.keypoints_of(body)
        joints = camera.batch_orth_proj_idrot(joints3d, cams)
        return Stages(cams, shape, body, joints3d, joints)

    def compute_losses(self, batch):
        """One training forward pass: e_loss, d_loss (None with `encoder_only`), and all losses.

        Only the last stage enters the 2-D and 3-D losses (KEEP).
        """
        config = self.config
        batch = {name: tf.cast(value, tf.float32) for name, value in batch.items()}
        _, shape, body, joints3d, joints = self.train_stages(batch["image"])

        # With joint_type 'lsp' only the first 14 of the 19 labelled points are predicted.
        label = batch["label"][:, : joints.shape[1]]
        kp_by_stage = [
            losses.keypoint_l1_loss(label, stage) for stage in tf.split(joints, config.num_stage)
        ]
        logs = {"e_loss_kp": config.e_loss_weight * kp_by_stage[-1]}
        if config.use_3d_label:
            Rs, betas, joints3d = (
                tf.split(x, config.num_stage)[-1] for x in (body.Rs, shape, joints3d)
            )
            logs.update(self._losses_3d(Rs, betas, joints3d, batch["label3d"], batch["has3d"]))
        e_loss, d_loss = tf.add_n(list(logs.values())), None
        if self.discriminator is not None:
            adversarial = self._adversarial_losses(
                body.Rs, shape, batch["mocap_pose"], batch["mocap_shape"]
            )
            e_loss += config.d_loss_weight * adversarial["e_loss_disc"]
            d_loss = config.d_loss_weight * (
                adversarial["d_loss_real"] + adversarial["d_loss_fake"]
            )
            logs.update(adversarial)
            if config.apply_weight_decay:
                d_loss += losses.weight_decay(
                    kernels(self.discriminator.trainable_variables), config.d_wd
                )
            logs["d_loss"] = d_loss
        if config.apply_weight_decay:
            e_loss += losses.weight_decay(kernels(self.encoder_variables), config.e_wd)
        for stage, loss in enumerate(kp_by_stage):
            logs[f"kp_loss_stage{stage}"] = loss
        return e_loss, d_loss, {"e_loss": e_loss, **logs}

    def _losses_3d(self, Rs, betas, joints3d, label3d, has3d):
        """Weighted losses of rotations and shape, and of the 14 joints (paper section 3.2)."""
        predicted = tf.concat([tf.reshape(Rs, [-1, NUM_ROTATION_ENTRIES]), betas], axis=1)
        joints_gt = tf.reshape(label3d[:, NUM_SMPL_LABELS:], [-1, 14, 3])
        aligned, aligned_gt = (
            tf.reshape(losses.align_by_pelvis(joints), [-1, 14 * 3])
            for joints in (joints3d[:, :14], joints_gt)
        )
        weight = self.config.e_3d_weight
        return {
            "e_loss_3d": weight
            * losses.compute_3d_loss(predicted, label3d[:, :NUM_SMPL_LABELS], has3d[:, 1]),
            "e_loss_3d_joints": weight * losses.compute_3d_loss(aligned, aligned_gt, has3d[:, 0]),
        }

    def _adversarial_losses(self, fake_Rs, fake_shapes, mocap_pose, mocap_shape):
        """Least-squares GAN losses over the bodies of all stages against as many of mocap."""
        real, fake = self.discriminate(fake_Rs, fake_shapes, mocap_pose, mocap_shape)
        return {
            "e_loss_disc": losses.squared_distance_to(fake, 1.0),
            "d_loss_real": losses.squared_distance_to(real, 1.0),
            "d_loss_fake": losses.squared_distance_to(fake, 0.0),
        }

    def discriminate(self, fake_Rs, fake_shapes, mocap_pose, mocap_shape):
        """What the discriminator says of mocap [M, 25] and of bodies [M', 25], in one pass.

        Columns: 23 joints, all joints, shape.
        """
        real_Rs = batch_rodrigues(tf.reshape(mocap_pose, [-1, 24, 3]))
        d_out = self.discriminator(
            tf.concat([real_Rs, fake_Rs], axis=0)[:, 1:],
            tf.concat([mocap_shape, fake_shapes], axis=0),
        )
        return tf.split(d_out, [tf.shape(real_Rs)[0], tf.shape(fake_Rs)[0]])

    def _dropout_seed(self):
        """Seed of this step: the run's seed and the number of encoder updates so far."""
        return tf.stack([tf.cast(self.config.seed, tf.int64), self.optimizer.iterations])

    def train_on_batch(self, x, return_dict=False, **kwargs):
        """As Keras', for a batch whose mocap rows (N * num_stage) outnumber its pictures (N).

        Keras' own refuses that. Only `x`, the dict of `train_step`, is accepted.
        """
        unused = [name for name, value in kwargs.items() if value is not None]
        if unused:
            raise ValueError(f"train_on_batch takes one dict of arrays; got also {unused}.")
        self._assert_compile_was_called()
        self.train_function = self.make_train_function()
        batches = iter(tf.data.Dataset.from_tensors(x))
        logs = {name: value.numpy() for name, value in self.train_function(batches).items()}
        return logs if return_dict else list(logs.values())


def kernels(variables: Sequence[tf.Variable]) -> list[tf.Variable]:
    """Those that the original's weight decay means: no biases, batch norms or mean parameters."""
    return [v for v in variables if v.name.split("/")[-1].startswith(("kernel", "weights"))]


@contextlib.contextmanager
def _layer_policy(mixed_precision):
    """Layers made inside compute in bfloat16 or float16 and keep float32 weights."""
    before = keras.mixed_precision.global_policy()
    if mixed_precision != "off":
        keras.mixed_precision.set_global_policy(f"mixed_{mixed_precision}")
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def decode_theta(smpl: SMPL, theta: tf.Tensor, img_size: int) -> dict[str, tf.Tensor]:
    """The body and the camera that `theta` [N, 85] stands for.

    Returns:
        dict of float32: `verts` [N, V, 3] and `joints3d` [N, K, 3] in metres, `joints` [N, K, 2]
        in pixels of the crop, `cams` [N, 3] `[s, tx, ty]`, `theta` [N, 85].
    """
    cams, pose, shape = split_theta(theta)
    body = smpl.pose(shape, pose)
    joints3d = smpl.keypoints_of(body)
    joints = camera.batch_orth_proj_idrot(joints3d, cams)
    return {
        "verts": smpl.vertices_of(body),
        "joints": camera.crop_to_pixels(joints, img_size),
        "cams": cams,
        "joints3d": joints3d,
        "theta": theta,
    }
