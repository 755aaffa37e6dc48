"""Asking other servers, and only those that may be asked."""
