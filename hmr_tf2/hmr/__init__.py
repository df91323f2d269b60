"""HMR: one picture to the body in it (Kanazawa et al. 2018)."""

from hmr_tf2.hmr.model import HMR, Stages

__all__ = ["HMR", "Stages"]
