"""Claims about the worker processes: each runs on one thread, and is as quiet as its command."""

import os
import sys

import cv2
import pytest

from tfrecords_tools import quiet_import
from tfrecords_tools.pool import Workers


def state_of_the_worker(number):
    return os.environ["OMP_NUM_THREADS"], cv2.getNumThreads(), quiet_import.is_installed()


@pytest.mark.parametrize("is_command", [False, True])
def test_a_worker_runs_on_one_thread_and_is_quiet_only_for_a_command(monkeypatch, is_command):
    # The tests themselves are quiet.
    loud = [finder for finder in sys.meta_path if type(finder).__module__ != quiet_import.__name__]
    monkeypatch.setattr(sys, "meta_path", loud)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    if is_command:
        quiet_import.install()
    with Workers(2) as workers:
        states = set(workers.map(state_of_the_worker, range(4), at_once=1))
    assert states == {("1", 1, is_command)}
