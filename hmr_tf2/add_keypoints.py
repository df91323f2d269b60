"""Makes neutral_smpl_with_cocoplus_reg.pkl of SMPL's own file and another project's keypoints.

python -m hmr_tf2.add_keypoints --smpl_model_path=SMPL_NEUTRAL.pkl \\
    --keypoint_regressor=J_regressor_extra.npy --mean_params=smpl_mean_params.npz

SMPL 1.0 and 1.1 (smpl.is.tue.mpg.de) come without the keypoints that HMR predicts. SPIN ships both
other files. The result needs no --keypoint_regressor, and the original's programs read it, too.
"""

import dataclasses

from hmr_tf2 import commands
from tfrecords_tools.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class AddKeypointsSettings:
    """Which files to join, and where to write the result."""

    smpl_model_path: str | None = setting(
        None,
        "SMPL's own file, neutral, female or male, such as SMPL_NEUTRAL.pkl or "
        "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl.",
        "input",
    )
    keypoint_regressor: str | None = setting(
        None,
        "File of the keypoints: J_regressor_extra.npy or J_regressor_h36m.npy as SPIN ships them, "
        "or one of all keypoints (npy, npz or pkl).",
        "input",
    )
    mean_params: str | None = setting(
        None,
        "Mean pose and shape: the authors' neutral_smpl_mean_params.h5 or SPIN's "
        "smpl_mean_params.npz. By default, the former in the SMPL file's folder, if it is there.",
        "input",
    )

    out: str = setting(
        "models/neutral_smpl_with_cocoplus_reg.pkl",
        "File to write. The mean parameters are written beside it.",
        "output",
    )

    def __post_init__(self):
        check_settings(self)
        if not self.smpl_model_path:
            raise ValueError("--smpl_model_path is needed: SMPL's own file (.pkl or .npz).")
        if not self.keypoint_regressor:
            raise ValueError(
                "--keypoint_regressor is needed: the file of the keypoints, such as SPIN's "
                "J_regressor_extra.npy."
            )


def main(settings: AddKeypointsSettings) -> None:
    # TensorFlow takes seconds that --help should not.
    from hmr_tf2.smpl import model_writer
    from hmr_tf2.smpl.model_file import MEAN_PARAMS_FILE, load_smpl_file
    from tfrecords_tools.paths import path_of

    out = path_of(settings.out)
    mean_out = out.with_name(MEAN_PARAMS_FILE)
    beside = path_of(settings.smpl_model_path).with_name(MEAN_PARAMS_FILE)
    mean_path = settings.mean_params
    if mean_path is None and beside.is_file() and not mean_out.is_file():
        mean_path = str(beside)
    for path in (out, mean_out if mean_path else None):
        if path is not None and path.exists():
            raise ValueError(f"{path} is there already: move it away, or give another --out.")
    body = load_smpl_file(settings.smpl_model_path, settings.keypoint_regressor)
    mean = model_writer.read_mean_params(mean_path) if mean_path else None

    out.parent.mkdir(parents=True, exist_ok=True)
    # The body comes last, so that a folder that has it also has the mean.
    if mean is not None:
        model_writer.write_mean_params(mean_out, mean)
        print(f"Wrote {mean_out}")
    model_writer.write_smpl_file(out, body)
    print(
        f"Wrote {out}: {len(body['v_template'])} vertices and "
        f"{body['cocoplus_regressor'].shape[0]} keypoints"
    )
    if not mean_out.is_file():
        print(
            f"A model also needs {mean_out}. It comes with the authors' model download; "
            "--mean_params=smpl_mean_params.npz makes it of SPIN's."
        )


if __name__ == "__main__":
    commands.run(main, AddKeypointsSettings, __doc__)
