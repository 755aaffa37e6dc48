"""pip's failures in words that help, and its lines made short."""

from __future__ import annotations

from pathlib import Path

import pytest

from webui.launcher.pip import explain_failure, shorten, tail

LOG = Path("/program/.venv-setup/pip.log")


@pytest.mark.parametrize(
    ("log", "what", "way_out"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on "
            "device",
            "disk is full",
            "Free some space",
        ),
        (
            "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by "
            "'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object>: Failed "
            "to establish a new connection: [Errno -2] Name or service not known')'\n"
            "ERROR: No matching distribution found for gradio==6.31.0",
            "can't be reached",
            "HTTPS_PROXY",
        ),
        (
            "There was a problem confirming the ssl certificate: HTTPSConnectionPool(host="
            "'index.example'): Max retries exceeded (Caused by SSLError(SSLCertVerificationError("
            "1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed')))",
            "certificate",
            "pip config set global.cert",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement numpy==2.4.6\n"
            "ERROR: No matching distribution found for numpy==2.4.6",
            "no ready-made build of numpy==2.4.6",
            "Python 3.12",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [WinError 5] Access is denied: "
            "'C:\\\\gesso\\\\.venv\\\\Lib\\\\site-packages\\\\numpy\\\\core.pyd'",
            "in use",
            "Close every program",
        ),
        ("ERROR: Something else entirely", "Something else entirely", str(LOG)),
        ("", "without a reason", str(LOG)),
    ],
)
def test_failure_is_explained(log: str, what: str, way_out: str) -> None:
    error = explain_failure(log, LOG)
    assert what in error.what
    assert way_out in error.way_out


@pytest.mark.parametrize(
    ("log", "is_final"),
    [("[Errno 28] No space left on device", True), ("Max retries exceeded", False)],
)
def test_other_index_is_tried_only_where_it_can_help(log: str, is_final: bool) -> None:
    assert explain_failure(log, LOG).is_final is is_final


@pytest.mark.parametrize(
    ("line", "short"),
    [
        (
            "  Downloading https://files.example/torch-2.13.0+cu130-cp311-cp311-manylinux_2_28_"
            "x86_64.whl (526.6 MB)",
            "Downloading torch 2.13.0+cu130 (526.6 MB)",
        ),
        ("Downloading pip-26.1.tar.gz (2 MB)", "Downloading pip-26.1.tar.gz (2 MB)"),
        ("Installing collected packages: a, b, c", "Installing 3 packages"),
        ("Installing collected packages: torch", "Installing torch"),
    ],
)
def test_long_lines_become_short(line: str, short: str) -> None:
    assert shorten(line) == short


def test_end_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "pip.log"
    assert tail(log) == ""
    log.write_text("begin\n" + "x" * 100_000 + "\nend\n")
    assert tail(log).endswith("end\n")
    assert "begin" not in tail(log)
