"""Who may come in: accounts, passwords, sessions, API keys, invitations. Knows nothing of HTTP."""
