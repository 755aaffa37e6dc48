"""A studio that a team uses, as its owner starts it: opening it to others, and making the owner."""
