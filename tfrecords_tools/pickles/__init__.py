"""Pickles of others read without running their code: SMPL files and motion capture."""
