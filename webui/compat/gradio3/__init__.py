"""Gradio 3 and 4, as scripts knew it, on Gradio 6."""
