"""Extensions with `run = "worker"`: their code runs in a process and with packages of its own.

    client.py       the server's side: starts the process, asks it, starts it again when it died
    serve.py        the process: loads the extension and answers
    wire.py         what is asked and answered, as JSON with raw bytes behind
    environment.py  its packages, in a virtual environment that uv makes

Such an extension may have all hooks that are given plain data (`HOOKS`); those of the engine, and
those that draw the page with Gradio, need the process that they belong to.
"""

from typing import Final

HOOKS: Final = (
    "job_start",
    "prompt",
    "image_post",
    "extras_op",
    "image_save_before",
    "image_save_after",
    "job_end",
    "infotext_parse",
    "grid",
    "tab_run",
    "app_ready",
    "app_close",
)
ADDS: Final = ("register_preprocessors", "register_upscalers")
"""What it may add; the functions behind are asked like hooks."""
