"""Weights that a file holds in fewer bits: recognised, read, cut into rows, and run in layers.

`schemes/` holds one file per way to write them.
"""
