"""Ways to enlarge a finished picture: one file each, found by scanning this folder."""
