"""One pass of a picture's way through a network, and what it takes: from recipe to latents."""
