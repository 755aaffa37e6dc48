"""Property tests of this folder, without a deadline."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is not a bug: each example may take as long as it takes.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
