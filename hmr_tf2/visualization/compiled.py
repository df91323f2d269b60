"""Where `compiled` was; it serves more packages than this one now."""

from hmr_tf2.compiled import compiled

__all__ = ["compiled"]
