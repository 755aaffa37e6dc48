"""The durable queue: what was accepted is stored, run in order and never lost."""
