"""Ends the process while it is imported."""

raise SystemExit(3)
