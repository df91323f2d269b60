"""Shows the whole program at work on stand-in people, with nothing but this repository.

python -m hmr_tf2.quickstart --out=quickstart_out

Makes a body and raw data sets, converts them to records, trains HMR on them with the adversarial
prior, exports a SavedModel, loads it again and uses it on a picture. A second run reuses what is
there.
"""

import contextlib
import dataclasses
import os
import pathlib
import time

from hmr_tf2 import commands
from hmr_tf2.config import TrainConfig, check_settings, setting

DATASETS = ("lsp", "mpi_inf_3dhp", "mosh")
# The picture that the model is tried on is made from another seed than those it is trained on.
PICTURE_SEED_OFFSET = 1_000_000


@dataclasses.dataclass(frozen=True)
class QuickstartSettings:
    """How much of everything; the defaults take minutes on two cores."""

    out: str = setting("quickstart_out", "Folder for everything the run makes.", "quickstart")
    people: int = setting(200, "Stand-in pictures in each image data set.", "quickstart",
                          minimum=8)
    steps: int = setting(120, "Training steps.", "quickstart", minimum=1)
    batch_size: int = setting(8, "Pictures in a step.", "quickstart", minimum=2)
    e_lr: float = setting(1e-4, "Learning rate of encoder and regressor.", "quickstart", above=0)
    d_lr: float = setting(1e-4, "Learning rate of the discriminator.", "quickstart", above=0)
    seed: int = setting(1, "Seed of people, data order and weights.", "quickstart", minimum=0)

    def __post_init__(self):
        check_settings(self)


class Journal:
    """The parts of the run: what each does, how long it took, where its result lies."""

    def __init__(self):
        self.rows: list[tuple[str, float, str]] = []

    @contextlib.contextmanager
    def part(self, title: str):
        """Announces a part; yields a list to which it appends where its results lie."""
        print(f"\n== {title}", flush=True)
        start, results = time.monotonic(), []
        yield results
        self.rows.append((title, time.monotonic() - start, " ".join(map(str, results))))

    def __str__(self) -> str:
        width = max(len(title) for title, _, _ in self.rows)
        lines = [f"{title:{width}}  {seconds:6.1f} s  {results}"
                 for title, seconds, results in self.rows]
        total = sum(seconds for _, seconds, _ in self.rows)
        return "\n".join([*lines, f"{'Total':{width}}  {total:6.1f} s"])


def main(settings: QuickstartSettings) -> None:
    # TensorFlow and what it brings take seconds that --help should not.
    from hmr_tf2 import loading, serving, training

    out = pathlib.Path(settings.out)
    journal = Journal()
    with journal.part("Make a stand-in body and people") as results:
        smpl_model_path, raw = make_standin(settings, out)
        results.append(out / "raw")
    with journal.part("Convert the raw data sets to records") as results:
        results.append(convert_standin(raw, out / "records"))
    with journal.part(f"Train {settings.steps} steps") as results:
        config = train_config(settings, out, smpl_model_path)
        summary = training.train(config)
        results.append(summary.model_dir)
    with journal.part("Export a SavedModel and compare it") as results:
        model = loading.load_model(summary.model_dir)
        exported = serving.export(model, out / "serving" / "hmr")
        results.append(exported)
    with journal.part("Load it and use it on a new picture") as results:
        results.extend(predict_picture(settings, exported, model.smpl.faces, out))
    print(f"\n{journal}\n\n{_next_steps(out, smpl_model_path)}")


def make_standin(settings: QuickstartSettings, out: pathlib.Path):
    """Writes body, mean parameters and raw data sets; returns the body's path and the folders."""
    from hmr_tf2.standin import body, raw_layouts

    smpl_model_path = body.write_model_files(out / "models")
    raw = raw_layouts.write_raw(
        out / "raw", settings.people, settings.seed, DATASETS, os.cpu_count() or 1
    )
    return smpl_model_path, raw


def convert_standin(raw: dict[str, pathlib.Path], data_dir: pathlib.Path) -> pathlib.Path:
    """Converts the raw folders as `hmr_tf2.convert_datasets` does."""
    from tfrecords_tools.convert import convert
    from tfrecords_tools.settings import ConvertSettings

    folders = {f"{name}_dir": str(folder) for name, folder in raw.items()}
    # Some stand-in people stand mostly outside the picture, and are skipped as the original does.
    print(convert(ConvertSettings(datasets=DATASETS, data_dir=str(data_dir), **folders)))
    return data_dir


def train_config(
    settings: QuickstartSettings, out: pathlib.Path, smpl_model_path: str
) -> TrainConfig:
    """One epoch of `settings.steps` steps with the paper's weights and all of its losses."""
    return TrainConfig(
        smpl_model_path=smpl_model_path, data_dir=str(out / "records"),
        model_dir=str(out / "run"), datasets=("lsp", "mpi_inf_3dhp"), use_3d_label=True,
        batch_size=settings.batch_size, e_lr=settings.e_lr, d_lr=settings.d_lr, e_3d_weight=60.0,
        epoch=1, steps_per_epoch=settings.steps, seed=settings.seed,
    )


def predict_picture(
    settings: QuickstartSettings, exported: pathlib.Path, faces, out: pathlib.Path
) -> tuple[pathlib.Path, pathlib.Path]:
    """Photographs a new person, predicts it with the exported model, and draws the result."""
    import cv2
    import numpy as np

    from hmr_tf2 import predictor
    from hmr_tf2.standin import people
    from hmr_tf2.visualization import overlay

    photo = people.random_photo(
        np.random.default_rng(settings.seed + PICTURE_SEED_OFFSET), (300, 260)
    )
    picture, result = out / "picture.png", out / "result.png"
    cv2.imwrite(str(picture), cv2.cvtColor(photo.image, cv2.COLOR_RGB2BGR))
    crop = predictor.crop_whole_picture(predictor.read_picture(picture))
    prediction = predictor.load_export(exported)(crop.image[np.newaxis])
    drawn = overlay.panel(crop.pixels, prediction, faces)
    cv2.imwrite(str(result), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
    s, tx, ty = prediction["cams"][0]
    print(f"{picture}: camera s={s:.2f} tx={tx:.2f} ty={ty:.2f}; "
          f"{len(prediction['verts'][0])} vertices, {len(prediction['joints'][0])} joints")
    return picture, result


def _next_steps(out: pathlib.Path, smpl_model_path: str) -> str:
    return f"""A network trained for minutes on random weights knows little: the run shows that all parts work.

Next:
  look at the result        {out / 'result.png'}
  watch the losses          tensorboard --logdir={out / 'run'}
  train on                  python -m hmr_tf2.train --flagfile={out / 'run' / 'flags.cfg'} --epoch=3
  your own data             python -m hmr_tf2.convert_datasets --help
  the authors' weights      python -m hmr_tf2.export --load_path=models/model.ckpt-667589 \\
                              --smpl_model_path=models/neutral_smpl_with_cocoplus_reg.pkl \\
                              --export_dir=serving/hmr"""


if __name__ == "__main__":
    commands.run(main, QuickstartSettings, __doc__)
