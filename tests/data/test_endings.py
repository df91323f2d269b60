"""A program that reads batches ends at once, however it ends, with the exit code that is due."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

from hmr_tf2 import flagfiles
from hmr_tf2.hmr.data import TrainingData
from tfrecords_tools.pipelines import ends_promptly

ROOT = pathlib.Path(__file__).parents[2]
QUIET = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
SECONDS = 60  # to import TensorFlow, on a machine that does much else

# Several iterators, each of which used to hang in one program of three.
READ = """
import sys
from hmr_tf2 import flagfiles
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.hmr.data import TrainingData

config = TrainConfig(**flagfiles.read_flagfile(sys.argv[1], TrainConfig))
data = TrainingData(config).batches()
read = [iter(data) for _ in range(4)]
for batches in read:
    next(batches)
print("read", flush=True)
"""
ENDINGS = {
    "the last line": ("", 0),
    "an error": ("raise ValueError('in the middle of an epoch')", 1),
    "an exit code": ("sys.exit(7)", 7),
    "Ctrl-C": ("while True:\n    [next(batches) for batches in read]", -signal.SIGINT),
}


def end_of(program, config, folder):
    """The exit code of a program, or None if it did not end."""
    file = folder / "flags.cfg"
    file.write_text(flagfiles.as_flagfile(config))
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(file)],
        env=QUIET,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout.readline() == "read\n"
    if "while True" in program:
        time.sleep(random.uniform(0.1, 1))
        process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=SECONDS)
        return process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None


def test_a_program_that_reads_batches_ends(config, tmp_path):
    line, code = ENDINGS["an exit code"]
    assert end_of(READ + line, config, tmp_path) == code


@pytest.mark.slow
def test_fifty_programs_that_read_batches_all_end(config, tmp_path):
    endings = [list(ENDINGS)[number % len(ENDINGS)] for number in range(50)]
    ends = [end_of(READ + ENDINGS[ending][0], config, tmp_path) for ending in endings]
    assert ends == [ENDINGS[ending][1] for ending in endings]


def test_no_thread_tunes_a_pipeline_and_misses_its_end(config):
    batches = TrainingData(config).batches()
    for made in (batches, batches.map(lambda batch: batch["image"]), batches.take(1)):
        assert made.options().autotune.enabled is False


def test_elements_stay_the_same(config):
    plain = TrainingData(config).batches().take(2)
    for one, other in zip(plain, ends_promptly(plain), strict=True):
        assert all((one[name].numpy() == other[name].numpy()).all() for name in one)


COLLECTED_IN_A_PIPELINE = """
import gc, os, time, weakref
import numpy as np
import tensorflow as tf
from tfrecords_tools.pipelines import ends_promptly

class Node:
    pass

def in_a_cycle(value=None):
    node = Node()
    node.itself, node.value = node, value
    return node

def work(number):
    return np.int64(len([[] for _ in range(50)]))

batches = ends_promptly(
    tf.data.Dataset.range(10**9)
    .map(lambda n: tf.numpy_function(work, [n], tf.int64, stateful=False), tf.data.AUTOTUNE)
    .prefetch(50)
)
gc.set_threshold(50)  # the pipeline's threads collect often
for _ in range(5):
    iterator = iter(batches)
    next(iterator)
    in_a_cycle(iterator)
    del iterator
    time.sleep(0.02)
    left = weakref.ref(in_a_cycle())
    for _ in range(50):
        gc.collect()
        if left() is None:
            break
        time.sleep(0.1)  # another thread may be at it
print("stuck" if left() else "collected", flush=True)
os._exit(0)
"""


def test_a_pipelines_thread_that_collects_garbage_leaves_its_own_iterator_alone():
    """It waited for itself, and nothing was collected in that process any more."""
    done = subprocess.run(
        [sys.executable, "-c", COLLECTED_IN_A_PIPELINE],
        env=QUIET,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    assert done.stdout == "collected\n"
