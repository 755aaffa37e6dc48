"""Brings extensions in: review, packages, versions to go back to."""
