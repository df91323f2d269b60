"""Checkpoints: weights from files of others, and our own runs' folders."""

from hmr_tf2.checkpoints.weights import restore_tf1

__all__ = ["restore_tf1"]
