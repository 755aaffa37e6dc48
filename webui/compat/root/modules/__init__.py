"""The package that scripts for AUTOMATIC1111 import as `modules`: its interface, our own code."""
