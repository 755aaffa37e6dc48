"""A little of distutils, which Python has no longer: what old scripts use of it."""
