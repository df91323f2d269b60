"""Human mesh recovery for TensorFlow 2 and Keras.

`HMR`, `HMRConfig` and `SMPL` are loaded on first use, so that the parts that need no TensorFlow
(the stand-in's pictures, the renderer) start at once.
"""

from hmr_tf2 import lazy

# The one place of the number: setup.py reads it here, and runs and exports are marked with it.
__version__ = "0.2.0"

_HOMES = {
    "HMR": "hmr_tf2.hmr.model",
    "HMRConfig": "hmr_tf2.hmr.config",
    "SMPL": "hmr_tf2.smpl",
}

__all__ = sorted(_HOMES)
__getattr__ = lazy.names_of(__name__, _HOMES)
