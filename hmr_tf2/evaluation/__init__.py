"""Errors of predicted bodies."""
