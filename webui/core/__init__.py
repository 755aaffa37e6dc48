"""WHAT the studio deals in: plain data, errors and protocols. No behaviour, no torch, no web."""
