"""Embeddings. Training is not built in."""
