"""Small test records whose pictures tell who is in them, so that a test can play the predictor."""

import pathlib

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tfrecords_tools import records

SIZE = 300  # of the stored picture; the crop's corner lies at (38, 38)
CROP_START = (SIZE - 224) // 2


class People:
    """Writes records of people, and predicts them from the colour of their pictures.

    `joints3d` [P, 14, 3] in metres and `keypoints` [P, 14, 3] in pixels of the crop are the truth.
    """

    def __init__(self, data_dir: pathlib.Path):
        self.data_dir = data_dir
        self.rng = np.random.default_rng(0)
        self.joints3d = np.zeros((0, 14, 3), np.float32)
        self.keypoints = np.zeros((0, 14, 3), np.float32)

    def write(
        self, file: str, count: int, has_3d: bool = True, hidden: tuple[int, ...] = (), **features
    ) -> range:
        """Adds `count` people in a record file, some joints hidden; returns their numbers."""
        numbers = range(len(self.joints3d), len(self.joints3d) + count)
        new = self.rng.normal([0, 0, 4], 0.3, (count, 14, 3)).astype(np.float32)
        points = self.rng.uniform(20, 200, (count, 14, 2)).astype(np.float32)
        visible = np.ones((count, 14, 1), np.float32)
        visible[:, list(hidden)] = 0.0
        self.joints3d = np.concatenate([self.joints3d, new])
        self.keypoints = np.concatenate(
            [self.keypoints, np.concatenate([points, visible], axis=2)]
        )
        path = self.data_dir / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for number in numbers:
                writer.write(self._example(number, has_3d, features))
        return numbers

    def _example(self, number, has_3d, features) -> bytes:
        picture = np.full((SIZE, SIZE, 3), (0, 8 * (number // 32), 8 * (number % 32)), np.uint8)
        stored = self.keypoints[number] + [CROP_START, CROP_START, 0]
        values = dict(
            encoded=cv2.imencode(".jpg", picture)[1].tobytes(),
            filename=f"{number}.png",
            height=SIZE,
            width=SIZE,
            keypoints=stored,
            center=(SIZE / 2, SIZE / 2),
        )
        if not has_3d:
            return records.image_example(**values)
        return records.image_3d_example(
            **values,
            joints_m=self.joints3d[number],
            camera=(500, 0, 0),
            scale_factors=(1, 1),
            crop_start=(0, 0),
            **features,
        )

    def who(self, images: np.ndarray) -> np.ndarray:
        """The numbers of the people in crops [N, 224, 224, 3]."""
        levels = np.round((images.mean((1, 2)) + 1) * 127.5 / 8).astype(int)
        return levels[:, 0] + 32 * levels[:, 1]

    def predict(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The truth, as a predictor would tell it: in 19 keypoints."""
        who = self.who(images)
        face = np.zeros((len(who), 5, 3), np.float32)
        return {
            "joints3d": np.concatenate([self.joints3d[who], face], axis=1),
            "joints": np.concatenate([self.keypoints[who], face], axis=1)[..., :2],
            "cams": np.tile(np.float32([0.9, 0.0, 0.0]), (len(who), 1)),
            "theta": np.zeros((len(who), 85), np.float32),
        }


class TruthfulPredictor:
    """A `Predictor` that says what `answer` makes of the truth; its body is a tetrahedron."""

    img_size, batch_size = 224, 3
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]], np.int32)

    def __init__(self, people: People, answer=lambda out: out):
        self.people, self.answer = people, answer
        self.calls: list[list[int]] = []

    def predict_crops(self, images):
        self.calls.append(self.people.who(images).tolist())
        return self.answer(self.people.predict(images))

    def bodies_of(self, theta):
        body = np.float32([[0, 0.8, 0], [0.3, -0.6, 0.2], [-0.3, -0.6, 0.2], [0, -0.6, -0.3]])
        return {"verts": np.tile(body, (len(theta), 1, 1))}

    @property
    def seen(self) -> list[int]:
        return [number for call in self.calls for number in call]


@pytest.fixture
def people(tmp_path):
    return People(tmp_path / "records")


@pytest.fixture
def truthful(people):
    """truthful(answer) -> a predictor of `people`; see `TruthfulPredictor`."""
    return lambda *answer: TruthfulPredictor(people, *answer)
