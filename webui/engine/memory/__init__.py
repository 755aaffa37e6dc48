"""What a batch needs of a device's memory, and what is done when it has less."""
