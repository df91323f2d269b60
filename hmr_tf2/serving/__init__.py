"""SavedModels for TF Serving."""

from hmr_tf2.serving.export import export

__all__ = ["export"]
