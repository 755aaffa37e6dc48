"""One module per resource; each has a ROUTER, found by scanning this folder."""
