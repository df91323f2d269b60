"""One export that the tests of this folder read, and pictures to send it."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hmr_tf2 import serving


@pytest.fixture(scope="session")
def exported(untrained, tmp_path_factory):
    """The folder of version 1 of an untrained model."""
    return serving.export(untrained, tmp_path_factory.mktemp("serving") / "hmr")


@pytest.fixture(scope="session")
def loaded(exported):
    return tf.saved_model.load(str(exported))


@pytest.fixture(scope="session")
def encoded():
    """encoded(kind, mode, height, width, **options) -> the bytes of a picture file of noise."""

    def encode(kind="JPEG", mode="RGB", height=130, width=170, **options):
        rng = np.random.default_rng(height * width)
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8))
        picture = coarse.resize((width, height)).convert(mode)
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        return buffer.getvalue()

    return encode
