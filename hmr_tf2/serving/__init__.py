"""SavedModels for TF Serving."""

from hmr_tf2.serving.saved_model import export

__all__ = ["export"]
