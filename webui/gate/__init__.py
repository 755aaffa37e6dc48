"""What stands in front of every route: who may ask, from where, how much."""
