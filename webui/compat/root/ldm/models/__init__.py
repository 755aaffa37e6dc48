"""Names of text encoders that scripts compare; nothing else of LDM is here."""
