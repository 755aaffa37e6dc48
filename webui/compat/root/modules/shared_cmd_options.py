"""The flags' values, as if none were given: this program has its own settings."""

from __future__ import annotations

from modules.cmd_args import parser
from webui.compat.missing import unprovided

cmd_opts, _ = parser.parse_known_args([])
cmd_opts.webui_is_non_local = False
cmd_opts.disable_extension_access = False

__getattr__ = unprovided(__name__)
