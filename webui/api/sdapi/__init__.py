"""A1111's HTTP API in our terms: its fields to our requests, our jobs to its answers. No routes."""
