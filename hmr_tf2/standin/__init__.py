"""A stand-in for what may not be shipped: a body in the SMPL format, motions, and raw data sets."""
