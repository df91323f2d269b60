"""Reads pickles from elsewhere (SMPL files, motion capture) without running their code."""
