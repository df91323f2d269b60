"""Training batches from TFRecords."""

from hmr_tf2.data.parsing import preprocess_example
from hmr_tf2.data.pipeline import training_batches

__all__ = ["preprocess_example", "training_batches"]
