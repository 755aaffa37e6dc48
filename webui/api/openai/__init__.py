"""OpenAI's image API in our words: what its clients ask for, and answers in its shapes."""
