"""What changes the weights of a model: LoRA and its relatives, and textual inversions."""
