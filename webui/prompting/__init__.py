"""The prompt language as data: from what a person typed to weighted pieces of text. Pure."""
