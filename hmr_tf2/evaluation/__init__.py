"""Errors of predicted bodies: measures, protocols, reports, validation between epochs."""
