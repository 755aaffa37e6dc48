"""Pictures as pixels and as bytes: fit modes, masks, uploads, picture text. PIL and numpy only."""
