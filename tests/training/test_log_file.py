"""train.log: what a run said."""

import logging as python_logging

import pytest
from absl import logging

from hmr_tf2.training import log_file


@pytest.fixture
def at_info(caplog):
    with caplog.at_level("INFO", logger="absl"):
        yield


def test_sessions_are_appended_and_each_line_stands_once(at_info, tmp_path):
    for session in ("first", "second"):
        with log_file.log_to(tmp_path) as path:
            logging.info("The %s session", session)
        logging.info("between")
    lines = path.read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == ["The first session", "The second session"]


def test_the_error_that_ends_a_run_stands_in_its_log(at_info, tmp_path):
    handlers = list(python_logging.getLogger().handlers)
    with pytest.raises(FloatingPointError), log_file.log_to(tmp_path) as path:
        raise FloatingPointError("e_loss is nan")
    assert "Ended by FloatingPointError: e_loss is nan\nTraceback" in path.read_text()
    assert python_logging.getLogger().handlers == handlers
