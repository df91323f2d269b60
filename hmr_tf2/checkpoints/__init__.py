"""Checkpoints: the authors' TF 1 files, and our own."""

from hmr_tf2.checkpoints.tf1 import restore_tf1

__all__ = ["restore_tf1"]
