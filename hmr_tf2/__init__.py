"""Human mesh recovery (HMR) for TensorFlow 2 and Keras.

`HMR`, `HMRConfig` and `SMPL` are loaded on first use, so that the parts that need no TensorFlow
(the stand-in's pictures, the renderer) start at once.
"""

import importlib

_HOME = {"HMR": "hmr_tf2.hmr", "HMRConfig": "hmr_tf2.config", "SMPL": "hmr_tf2.smpl"}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
