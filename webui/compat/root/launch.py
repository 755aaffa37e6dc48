"""What install.py of old extensions imports: it is told the truth about packages, and installs
nothing. Packages are declared in requirements.txt, and resolved together when an extension is
installed."""

from __future__ import annotations

import modules.cmd_args
from modules.launch_utils import (
    args,
    check_run,
    check_run_python,
    commit_hash,
    configure_for_tests,
    dir_repos,
    extensions_dir,
    git,
    git_clone,
    git_pull_recursive,
    git_tag,
    index_url,
    is_installed,
    list_extensions,
    prepare_environment,
    python,
    repo_dir,
    requirements_met,
    run,
    run_extension_installer,
    run_extensions_installers,
    run_pip,
    start,
)

__all__ = [
    "args",
    "check_run",
    "check_run_python",
    "commit_hash",
    "configure_for_tests",
    "dir_repos",
    "extensions_dir",
    "git",
    "git_clone",
    "git_pull_recursive",
    "git_tag",
    "index_url",
    "is_installed",
    "list_extensions",
    "modules",
    "prepare_environment",
    "python",
    "repo_dir",
    "requirements_met",
    "run",
    "run_extension_installer",
    "run_extensions_installers",
    "run_pip",
    "start",
]

script_path = modules.cmd_args.script_path
