"""Checkpoints: weights from other programs' files, and the folders of our own runs."""

from hmr_tf2.checkpoints.weights import restore_tf1

__all__ = ["restore_tf1"]
