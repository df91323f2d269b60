"""Training runs: from settings to checkpoints."""

from hmr_tf2.training.run import TrainingSummary, train

__all__ = ["TrainingSummary", "train"]
