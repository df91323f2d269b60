"""train.log: what a run said."""

import logging as python_logging
import resource
import subprocess
import sys

import pytest
from absl import logging

from hmr_tf2.training import log_file


@pytest.fixture(autouse=True)
def warnings_only():
    """As in a program that has not asked for more."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    yield
    logging.set_verbosity(before)


def test_sessions_are_appended_and_each_line_stands_once(tmp_path):
    for session in ("first", "second"):
        with log_file.log_to(tmp_path) as path:
            logging.info("The %s session", session)
        logging.info("between")
    lines = path.read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == ["The first session", "The second session"]


def test_the_error_that_ends_a_run_stands_in_its_log(tmp_path):
    handlers = list(python_logging.getLogger().handlers)
    with pytest.raises(FloatingPointError), log_file.log_to(tmp_path) as path:
        raise FloatingPointError("e_loss is nan")
    assert "Ended by FloatingPointError: e_loss is nan\nTraceback" in path.read_text()
    assert python_logging.getLogger().handlers == handlers
    assert logging.get_verbosity() == logging.WARNING


def test_warnings_still_reach_a_terminal_that_nobody_set_up(tmp_path):
    script = (
        "from absl import logging; from hmr_tf2.training import log_file\n"
        f"with log_file.log_to({str(tmp_path)!r}):\n"
        "    logging.info('aside'); logging.warning('look here')"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stderr
    assert shown.count("look here") == 1 and "aside" not in shown
    log = (tmp_path / "train.log").read_text()
    assert log.count("look here") == 1 and log.count("aside") == 1


def test_a_full_disk_is_said_once_and_its_lines_follow_when_there_is_room(
    tmp_path, capsys, caplog
):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with log_file.log_to(tmp_path) as path:
        logging.info("before")
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, limits[1]))
        try:
            for number in range(3):
                logging.info("line %d", number)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert all(f"line {number}\n" in path.read_text() for number in range(3))
    assert "Traceback" not in capsys.readouterr().err
    assert caplog.text.count("train.log cannot be written; the run goes on") == 1
