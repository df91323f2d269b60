"""One export that the tests of this folder read."""

import pytest

from hmr_tf2 import serving


@pytest.fixture(scope="session")
def exported(untrained, tmp_path_factory):
    """The folder of version 1 of an untrained model."""
    return serving.export(untrained, tmp_path_factory.mktemp("serving") / "hmr")
