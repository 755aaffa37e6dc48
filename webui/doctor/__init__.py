"""Tries an extension out before anybody depends on it."""
