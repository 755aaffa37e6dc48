"""The ways to hold weights in fewer bits, one file each."""
