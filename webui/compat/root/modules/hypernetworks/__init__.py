"""Hypernetworks are not supported; there are none in any list."""
