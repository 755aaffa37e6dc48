"""The page: Gradio draws the controls, our small JavaScript client all that is live."""
