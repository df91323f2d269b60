"""HMR: from one picture to the body in it (Kanazawa et al. 2018)."""

from hmr_tf2 import lazy

_HOMES = {
    "HMR": "hmr_tf2.hmr.model",
    "HMRConfig": "hmr_tf2.hmr.config",
    "Stages": "hmr_tf2.hmr.model",
    "TrainConfig": "hmr_tf2.hmr.config",
}

__all__ = sorted(_HOMES)
__getattr__ = lazy.names_of(__name__, _HOMES)
