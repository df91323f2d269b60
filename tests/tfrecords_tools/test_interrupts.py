"""Ctrl-C reaches a program even where Python forgets exceptions."""

import subprocess
import sys

FORGOTTEN = """
import gc, signal, sys, time
from tfrecords_tools import interrupts

# A job that a shell starts in the background ignores Ctrl-C, and so do its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
interrupts.heed_all()

class Slow:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def in_a_callback(phase, info):
    if phase == "start":
        gc.callbacks.remove(in_a_callback)
        signal.raise_signal(signal.SIGINT)

try:
    if sys.argv[1] == "deletion":
        Slow()
    elif sys.argv[1] == "collection":
        gc.callbacks.append(in_a_callback)
        gc.collect()
    time.sleep(20)
    print("went on")
except KeyboardInterrupt:
    print("interrupted")
"""


def output_of(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60
    )


def test_ctrl_c_in_a_deletion_is_not_lost():
    done = output_of(FORGOTTEN, "deletion")
    assert done.stdout == "interrupted\n" and not done.stderr


def test_ctrl_c_in_a_collection_is_not_lost():
    done = output_of(FORGOTTEN, "collection")
    assert done.stdout == "interrupted\n" and not done.stderr


def test_other_errors_in_deletions_are_shown_as_before():
    program = FORGOTTEN.replace("signal.raise_signal(signal.SIGINT)", "raise ValueError(7)")
    done = output_of(program.replace("time.sleep(20)", "pass"), "deletion")
    assert done.stdout == "went on\n" and "ValueError: 7" in done.stderr
