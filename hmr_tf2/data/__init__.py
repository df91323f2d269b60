"""Training batches from TFRecords."""

from hmr_tf2.data.parsing import preprocess_example

__all__ = ["preprocess_example"]
