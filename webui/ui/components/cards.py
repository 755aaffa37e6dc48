"""The browser of networks, embeddings and checkpoints in a tab that makes pictures.

Both parts are drawn by assets/cards.js, which asks the API for cards when the browser is opened.
"""

from __future__ import annotations

from webui.ui.live import live


def cards_button(mode: str) -> None:
    """What opens and closes it; stands beside Generate, always in reach."""
    live("gesso-cards-button", mode=mode)


def cards_panel(mode: str) -> None:
    """The place for it, below the prompts. Empty while it is closed."""
    live("gesso-cards", elem_id=f"{mode}_cards", mode=mode)
