"""Extensions in the engine: their code is loaded here, and their hooks are called on the way of a
picture. What a hook raises ends here, and the picture is made without it.

calls.py guards; loading.py reads files; pictures.py holds the hooks that need no tensors, steps.py
and latents.py those that do; registered.py what extensions add to the tables.
"""
