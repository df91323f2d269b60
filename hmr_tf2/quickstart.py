"""Shows the whole program at work on stand-in people; it needs nothing but this repository.

python -m hmr_tf2.quickstart --out=quickstart_out

It makes a body and raw data sets, converts them to records, trains HMR on them with the
adversarial prior, exports a SavedModel, loads it again and uses it on new pictures. A second run
reuses what is there.
"""

import contextlib
import dataclasses
import json
import math
import os
import pathlib
import textwrap
import time

from hmr_tf2 import commands
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.networks.encoders import ENCODERS
from tfrecords_tools.files import check_folder, write_text
from tfrecords_tools.settings import check_settings, setting

DATASETS = ("lsp", "mpi_inf_3dhp", "mosh")
LSP_PEOPLE = 1000  # the first thousand train, as in the real data set
MOCAP_CLIPS = 200
SETTINGS_FILE = "quickstart.json"
VALIDATIONS = 6  # points on the curve of errors, and epochs of the trainer
# The pictures that the model is tried on come from another seed than those it is trained on.
TEST_SEED_OFFSET = 1_000_000
NUM_TEST_PICTURES = 200
NUM_SHOWN = 8
MEAN, TRAINED = "mean body", "trained"
CURVES = {
    "Errors in 3-D on people of the validation set, mm": (
        "val/mpi_inf_3dhp_mpjpe_mm",
        "val/mpi_inf_3dhp_pa_mpjpe_mm",
    ),
    "Joints (3-D)": ("loss/e_loss_3d_joints_noscale",),
    "Keypoints (2-D), by stage of the regressor": tuple(
        f"loss/e_losses_noscale/kp_loss_stage{stage}" for stage in range(3)
    ),
    "Losses of encoder and discriminator": ("loss/e_loss", "loss/d_loss"),
}


@dataclasses.dataclass(frozen=True)
class QuickstartSettings:
    """How much of everything to make; the defaults take minutes on two cores."""

    out: str = setting("quickstart_out", "Folder for everything the run makes.", "quickstart")
    people: int = setting(
        4000,
        "Number of stand-in pictures with 3-D labels. There are as many without, up to "
        f"{LSP_PEOPLE}.",
        "quickstart",
        minimum=8,
    )
    steps: int = setting(2400, "Number of training steps.", "quickstart", minimum=1)
    batch_size: int = setting(32, "Number of images in a training step.", "quickstart", minimum=2)
    model_type: str = setting(
        "small_resnet_fc3_dropout",
        "Networks to train; the original's (resnet_fc3_dropout) take 20 times as long.",
        "quickstart",
        choices=ENCODERS,
    )
    e_lr: float = setting(
        2e-3, "Learning rate of the encoder and the regressor.", "quickstart", above=0
    )
    d_lr: float = setting(1e-3, "Learning rate of the discriminator.", "quickstart", above=0)
    seed: int = setting(
        1, "Seed of the people, the data order and the initial weights.", "quickstart", minimum=0
    )

    def __post_init__(self):
        check_settings(self)


class Journal:
    """The parts of the run: what each does, how long it took, and where its results are."""

    def __init__(self):
        self.rows: list[tuple[str, float, str]] = []

    @contextlib.contextmanager
    def part(self, title: str):
        """Announces a part; yields a list, to which the part adds the paths of its results."""
        print(f"\n== {title}", flush=True)
        start, results = time.monotonic(), []
        yield results
        self.rows.append((title, time.monotonic() - start, " ".join(map(str, results))))

    def __str__(self) -> str:
        width = max(len(title) for title, _, _ in self.rows)
        lines = [
            f"{title:{width}}  {seconds:6.1f} s  {results}"
            for title, seconds, results in self.rows
        ]
        total = sum(seconds for _, seconds, _ in self.rows)
        return "\n".join([*lines, f"{'Total':{width}}  {total:6.1f} s"])


def main(settings: QuickstartSettings) -> None:
    # TensorFlow and what it brings take seconds that --help should not.
    from hmr_tf2 import devices, loading, serving, training
    from hmr_tf2.hmr.system import HMR_SYSTEM
    from hmr_tf2.smpl import mean_theta

    out = check_folder(settings.out)
    keep_settings(settings, out)
    devices.log_devices()
    journal = Journal()
    with journal.part("Make a stand-in body and people") as results:
        smpl_model_path, raw = make_standin(settings, out)
        results.append(out / "raw")
    with journal.part("Convert the raw data sets to records") as results:
        results.append(convert_standin(raw, out / "records"))
    with journal.part(f"Train {settings.steps} steps") as results:
        summary = training.train(train_config(settings, out, smpl_model_path), HMR_SYSTEM)
        results.append(summary.model_dir)
    if summary.stopped:
        print(f"\nStopped by {summary.stopped}. The same command continues.")
        if summary.stopped == "SIGINT":
            raise KeyboardInterrupt
        return
    with journal.part("Export a SavedModel and compare it") as results:
        model = loading.load_model(summary.model_dir)
        exported = serving.export(model, out / "serving" / "hmr")
        results.append(exported)
    with journal.part("Load it and use it on new pictures") as results:
        errors, pictures = try_out(settings, exported, mean_theta(smpl_model_path), out)
        results.append(out / "result.png")
    page = write_page(out, journal, errors, pictures)
    print(f"\n{journal}\n\n{as_text(errors)}\n{next_steps(out, page)}")


def keep_settings(settings: QuickstartSettings, out: pathlib.Path) -> None:
    """Writes the settings beside the results, unless another run's are there.

    Raises:
        ValueError: another quickstart, with other settings, left its results in `out`.
    """
    path = out / SETTINGS_FILE
    wanted = dataclasses.asdict(dataclasses.replace(settings, out=""))
    if path.is_file():
        try:
            there = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} is damaged; give another --out, or delete it.") from error
        changed = [name for name in wanted if there.get(name) != wanted[name]]
        if changed:
            made = " ".join(f"--{name}={there.get(name)}" for name in changed)
            raise ValueError(
                f"{out} holds the results of a quickstart with {made}. Give the same again to go "
                "on with it, or another folder as --out."
            )
        return
    out.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(wanted, indent=1) + "\n")


def standin_variety():
    """Plain pictures of people who do not turn their backs, which are the quickest to learn."""
    from hmr_tf2.standin import people

    return dataclasses.replace(people.PLAIN, turn=math.pi / 2)


def make_standin(settings: QuickstartSettings, out: pathlib.Path):
    """Writes body, mean parameters and raw data sets; returns the body's path and the folders."""
    from hmr_tf2.standin import body, raw_layouts

    smpl_model_path = body.write_model_files(out / "models")
    people = {
        "mpi_inf_3dhp": settings.people,
        "lsp": min(settings.people, LSP_PEOPLE),
        "mosh": min(settings.people, MOCAP_CLIPS),
    }
    raw = raw_layouts.write_raw(
        out / "raw", people, settings.seed, DATASETS, os.cpu_count() or 1, standin_variety()
    )
    return smpl_model_path, raw


def convert_standin(raw: dict[str, pathlib.Path], data_dir: pathlib.Path) -> pathlib.Path:
    """Converts the raw data sets as `hmr_tf2.convert_datasets` does."""
    from tfrecords_tools.convert import convert
    from tfrecords_tools.convert_settings import ConvertSettings

    folders = {f"{name}_dir": str(folder) for name, folder in raw.items()}
    print(convert(ConvertSettings(datasets=DATASETS, data_dir=str(data_dir), **folders)))
    return data_dir


def train_config(
    settings: QuickstartSettings, out: pathlib.Path, smpl_model_path: str
) -> TrainConfig:
    """All losses of the paper, weighted for a run of minutes from random weights.

    With the paper's weights, such a run would learn to please a discriminator that knows nothing
    yet, whose loss is then sixty times that of the 3-D joints.
    """
    epoch = math.gcd(settings.steps, VALIDATIONS)
    return TrainConfig(
        smpl_model_path=smpl_model_path,
        data_dir=str(out / "records"),
        model_dir=str(out / "run"),
        datasets=("lsp", "mpi_inf_3dhp"),
        use_3d_label=True,
        val_datasets=("mpi_inf_3dhp",),
        model_type=settings.model_type,
        bn_momentum=0.95,
        dropout_rate=0.0,
        d_loss_weight=0.1,
        e_3d_weight=600.0,
        batch_size=settings.batch_size,
        e_lr=settings.e_lr,
        d_lr=settings.d_lr,
        lr_schedule="cosine",
        lr_warmup_steps=min(100, settings.steps),
        epoch=epoch,
        steps_per_epoch=settings.steps // epoch,
        seed=settings.seed,
    )


def try_out(settings: QuickstartSettings, exported: pathlib.Path, mean, out: pathlib.Path):
    """Makes pictures of new people, predicts them with the exported model, and draws some.

    Args:
        mean: [1, 85], the theta that the regressor starts from.

    Returns:
        The errors of the mean body and of the model (`joint_errors`), and captioned panels.
    """
    import numpy as np

    from hmr_tf2 import crops, loading, pictures
    from hmr_tf2.standin import people
    from hmr_tf2.visualization import overlay

    rng = np.random.default_rng(settings.seed + TEST_SEED_OFFSET)
    photos = [
        people.random_photo(rng, (224, 224), variety=standin_variety())
        for _ in range(NUM_TEST_PICTURES)
    ]
    cut = [crops.crop_whole_picture(photo.image) for photo in photos]
    model = loading.load_predictor(exported)
    predicted = model.predict_crops(np.stack([crop.image for crop in cut]))
    persons = [photo.people[0] for photo in photos]
    errors = {
        MEAN: joint_errors(persons, model.bodies_of(np.repeat(mean, len(photos), axis=0))),
        TRAINED: joint_errors(persons, predicted),
    }
    panels = [
        overlay.panel(crop.pixels, predicted, model.faces, row)
        for row, crop in enumerate(cut[:NUM_SHOWN])
    ]
    pictures.write_picture(out / "picture.png", cut[0].pixels)
    rows = [np.hstack(panels[k : k + 2]) for k in range(0, NUM_SHOWN, 2)]
    pictures.write_picture(out / "result.png", np.vstack(rows))
    each, _ = errors_mm(persons, predicted)
    captions = [f"{number + 1}: MPJPE {error:.0f} mm" for number, error in enumerate(each)]
    return errors, list(zip(captions, panels, strict=False))


def joint_errors(persons, predicted: dict) -> dict[str, float]:
    """Mean 2-D error in pixels of the crop, MPJPE and PA-MPJPE in millimetres."""
    import numpy as np

    truth = np.stack([person.keypoints_px for person in persons])
    errors, errors_pa = errors_mm(persons, predicted)
    return {
        "2-D error, px": float(np.linalg.norm(predicted["joints"] - truth, axis=-1).mean()),
        "MPJPE, mm": float(errors.mean()),
        "PA-MPJPE, mm": float(errors_pa.mean()),
    }


def errors_mm(persons, predicted: dict):
    """MPJPE and PA-MPJPE of each person: two float arrays [N]."""
    import numpy as np

    from hmr_tf2.evaluation.metrics import compute_errors, lsp_millimetres

    truth = np.stack([person.keypoints_m for person in persons])
    return compute_errors(lsp_millimetres(truth), lsp_millimetres(predicted["joints3d"]))


def write_page(out: pathlib.Path, journal: Journal, errors, pictures) -> pathlib.Path:
    """Writes results.html: times, errors, pictures and loss curves."""
    from hmr_tf2.training.history import read_scalars
    from hmr_tf2.visualization.results_page import write_results_page

    scalars = read_scalars(out / "run")
    return write_results_page(
        out / "results.html",
        title="hmr_tf2 quickstart",
        notes=[
            EXPECTATION,
            "The pictures show the first of those people, not a selection: input, joints, "
            "body over the picture, body from the side.",
        ],
        curves={
            title: {tag.split("/")[-1]: scalars.get(tag, []) for tag in tags}
            for title, tags in CURVES.items()
        },
        tables=[
            (f"Errors on {NUM_TEST_PICTURES} people it never saw", *error_table(errors)),
            (
                "Parts of the run",
                ["part", "seconds", "results"],
                [[title, f"{seconds:.1f}", where] for title, seconds, where in journal.rows],
            ),
        ],
        pictures=pictures,
    )


def error_table(errors: dict[str, dict[str, float]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: the errors of each prediction, and how much training changed them."""
    rows = [[name, *(f"{v:.1f}" for v in row.values())] for name, row in errors.items()]
    change = [f"{-100 * share:+.1f} %" for share in gains(errors).values()]
    return ["", *errors[MEAN]], [*rows, ["change", *change]]


def gains(errors: dict[str, dict[str, float]]) -> dict[str, float]:
    """The fraction by which each error of the trained model is below that of the mean body."""
    return {name: 1 - errors[TRAINED][name] / start for name, start in errors[MEAN].items()}


def as_text(errors: dict[str, dict[str, float]]) -> str:
    header, rows = error_table(errors)
    return "\n".join("".join(f"{cell:>16}" for cell in row) for row in [header, *rows]) + "\n"


EXPECTATION = (
    "This is a small network, trained for minutes from random weights on plain pictures of people "
    "who do not exist. With the default settings its MPJPE on new ones should be about 40 % below "
    "that of the mean body. It is of no use on photographs: for these take the authors' weights, "
    "or train on the real data sets."
)


def next_steps(out: pathlib.Path, page: pathlib.Path) -> str:
    run = out / "run"
    return f"""{textwrap.fill(EXPECTATION, 96)}

Next:
  look at the results     {page}
  watch the losses        tensorboard --logdir={run}
  draw a picture's body   python -m hmr_tf2.demo --load_path={run} --img_path={out / "picture.png"}
  errors in detail        python -m hmr_tf2.evaluate --load_path={run} \\
                            --data_dir={out / "records"} --datasets=mpi_inf_3dhp
  train on                python -m hmr_tf2.train --flagfile={run / "flags.cfg"} \\
                            --epoch={2 * VALIDATIONS}
  your own data           python -m hmr_tf2.convert_datasets --help
  the authors' weights    python -m hmr_tf2.export --load_path=models/model.ckpt-667589 \\
                            --smpl_model_path=models/neutral_smpl_with_cocoplus_reg.pkl \\
                            --export_dir=serving/authors"""


def program() -> None:
    """The program `hmr-quickstart`."""
    commands.run(main, QuickstartSettings, __doc__)


if __name__ == "__main__":
    program()
