"""Measurements: how long answers take, on data of a stated size."""
