"""Errors of predicted bodies: metrics, protocols, reports, and validation between epochs."""
