"""HOW pictures are made, in a process of its own: the home of torch."""
