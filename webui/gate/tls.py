"""TLS of a running server: new connections get the newest certificate, open ones keep theirs."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from typing import Final

from webui.core.errors import InvalidRequest
from webui.gate.certificate import Certificate, load, make_context

log = logging.getLogger(__name__)


class Tls:
    """A certificate that is read again now and then: names change, and certificates are renewed."""

    def __init__(self, read: Callable[[], Certificate]) -> None:
        """`read` gives the certificate as it is now. Raises InvalidRequest."""
        self._read: Final = read
        self.certificate = read()
        self.context: Final[ssl.SSLContext] = make_context(self.certificate)

    def renew(self) -> None:
        """Take another certificate if there is one. The old one stays in use when that fails."""
        try:
            newest = self._read()
            if newest.fingerprint != self.certificate.fingerprint:
                load(self.context, newest)
                self.certificate = newest
                log.info("The certificate is a new one now. Fingerprint: %s", newest.fingerprint)
        except (InvalidRequest, OSError) as error:
            log.warning("The certificate could not be renewed. %s", error)
