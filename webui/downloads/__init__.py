"""Fetching models that a person asks for: the only requests that ever go out, and only then."""
