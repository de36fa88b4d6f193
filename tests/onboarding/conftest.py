"""A key under examination on the sandbox exchange in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.http.ratelimit.limiter import LocalLimiter
from bgresearch.http.sender import Wire
from bgresearch.http.transport import new_session
from bgresearch.keys.onboarding.finding import Finding
from bgresearch.keys.onboarding.key_check import examine
from bgresearch.keys.permissions import Permissions
from bgresearch.sandbox import SANDBOX_KEYS, Exchange, SandboxAdapter
from bgresearch.sandbox.traders.keys import SandboxKey
from bgresearch.session.identity import AccountIdentity
from vault import loopback_credential

HOST = "http://127.0.0.1:1"
NOW_MS = 1_795_165_230_000  # 2026-11-20

Examined = tuple[list[Finding], Permissions | None]
Look = Callable[..., Examined]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def exchange(clock: ManualClock) -> Exchange:
    return Exchange(clock=clock)


@pytest.fixture
def look(exchange: Exchange, clock: ManualClock) -> Look:
    """Examine one of the sandbox's keys, with some of its texts changed."""

    def one(name: str = "readonly", **changed: object) -> Examined:
        key: SandboxKey = replace(SANDBOX_KEYS[name], **changed)
        session = new_session()
        session.mount(HOST, SandboxAdapter(exchange))
        signer = loopback_credential(
            name, api_key=key.api_key, secret_key=key.secret_key, passphrase=key.passphrase, host=HOST, demo=key.demo
        )
        wire = Wire(HOST, limiter=LocalLimiter(clock), clock=clock, session=session, signer=signer)
        steps, findings = examine(wire, AccountIdentity(wire), clock), []
        while True:
            try:
                findings.append(next(steps))
            except StopIteration as end:
                return findings, end.value

    return one
