"""Telling other programs that a job is over."""
