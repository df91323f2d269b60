"""Stands in for what may not be shipped: a body in SMPL's format, motions, raw data sets."""
