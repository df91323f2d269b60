"""Importing this before TensorFlow keeps its notices out of the tests' output, as commands do."""

from tfrecords_tools import quiet_import

quiet_import.install()
