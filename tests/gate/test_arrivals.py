"""One person's bodies that are on their way fill the memory only so far."""

from __future__ import annotations

import select

from tests.gate.site import plain_app, read_answer, serving
from webui.gate.access import MIB
from webui.gate.audit import Table, audit
from webui.gate.body import Arrivals
from webui.gate.gate import Gate

WHOLE, BEGUN = 3 * MIB, 5 * MIB // 2


def test_a_body_too_many_is_refused_and_the_others_arrive() -> None:
    app = plain_app()
    gate = Gate(app, Table(audit(app, {})), arrivals=Arrivals(4 * MIB))
    with serving(gate) as site:
        head = (
            f"POST /api/v1/upload HTTP/1.1\r\nHost: {site.host}\r\nContent-Length: {WHOLE}\r\n\r\n"
        )
        with site.connect() as one, site.connect() as other:
            for connection in (one, other):
                connection.sendall(head.encode() + bytes(BEGUN))
            (refused,), _, _ = select.select([one, other], [], [], 20)
            answer = read_answer(refused)
            assert (answer.status, answer.one("retry-after")) == (503, "5")
            left = other if refused is one else one
            left.sendall(bytes(WHOLE - BEGUN))
            assert read_answer(left).status == 200
        for _ in range(3):
            assert site.ask("POST", "/api/v1/upload", body=bytes(WHOLE)).status == 200
