"""Packages that extensions need: resolved together, beside the program's own, which never move."""
