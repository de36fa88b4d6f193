"""The live check of a key, stage by stage, each with a plain verdict and a remedy.

Requests the exchange's time (public), then the key's own information; the error code decides which stage failed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable

from bgresearch.catalogue import error_code, load
from bgresearch.core.clock import LOOPBACK, Clock
from bgresearch.errors import BadResponse, BgresearchError, ExchangeError
from bgresearch.http.sender import Sender
from bgresearch.keys.onboarding.error_explanations import Cause, cause_of
from bgresearch.keys.onboarding.finding import STAGES, Finding, Stage
from bgresearch.keys.permissions import Permissions, permissions
from bgresearch.session.identity import AccountIdentity

NOTICED_MS = 5_000  # a clock difference that is reported; requests are corrected for it
_TIME = "common.time"
_LONGEST_TIME = 16  # digits
_ACCEPTED: dict[Stage, str] = {
    "reach": "The exchange responds.",
    "clock": "The exchange accepts the time of the request.",
    "key": "The exchange knows this API key.",
    "signature": "The SecretKey matches the API key.",
    "passphrase": "The passphrase is correct.",
    "address": "The exchange accepts this key from this network address.",
    "environment": "Demo or live: the key is used in its own environment.",
    "mode": "The account is available and not restricted.",
    "permissions": "The exchange lists what the key may do.",
}
_OPEN = "Not known yet: the exchange refused for another reason."
_NOT_CHECKED = "Not checked."


def examine(sender: Sender, whose: AccountIdentity, clock: Clock) -> Generator[Finding, None, Permissions | None]:
    """Yield the findings one by one; the value is what the key may do, None if it is refused.

    Parameters
    ----------
    sender : Sender
        Signs with the key in question.
    whose : AccountIdentity
        Of the same sender.
    clock : Clock
        This machine's.

    Notes
    -----
    Three or four requests. Every stage gets one finding, in the order of `STAGES`; only a clock that the exchange
    refuses after all gets a second one, and the last one counts. The generator's value (``yield from``) is the
    permissions.
    """
    findings = examine_connection(sender, clock)
    yield from findings
    if not passed(findings):
        yield from (Finding(stage, None, _NOT_CHECKED) for stage in STAGES[2:])
        return None
    rest, found = examine_key(sender, whose)
    yield from rest
    return found


def examine_connection(sender: Sender, clock: Clock) -> tuple[Finding, ...]:
    """Return the findings of the stages ``reach`` and ``clock``; one public request."""
    try:
        skew_ms = _skew_ms(sender)
    except BgresearchError as error:
        return findings_of(error)[:2]
    return Finding("reach", True, _ACCEPTED["reach"]), _of_skew(skew_ms)


def examine_key(sender: Sender, whose: AccountIdentity) -> tuple[tuple[Finding, ...], Permissions | None]:
    """Return the findings from stage key on, and what the key may do; two or three private requests."""
    try:
        found = permissions(sender, whose)
    except BgresearchError as error:
        findings = findings_of(error, sandbox=sender.host.startswith(LOOPBACK))
        return tuple(one for one in findings if one.stage not in {"reach", "clock"} or one.passed is False), None
    return tuple(Finding(stage, True, _said(stage, found)) for stage in STAGES[2:]), found


def findings_of(error: BgresearchError, *, sandbox: bool = False) -> tuple[Finding, ...]:
    """Return one finding per stage, according to this error; ``sandbox`` as of `cause_of`.

    Stages before the one that failed are passed, or open where the exchange's order of checks is not known; later ones
    are not checked.

    Examples
    --------
    >>> from bgresearch.errors import AuthenticationError
    >>> [one.stage for one in findings_of(AuthenticationError("x", "40036", "")) if one.passed is False]
    ['passphrase']
    """
    cause, code = cause_of(error, sandbox=sandbox), _code_of(error)
    failed = STAGES.index(cause.stage)
    before = tuple(_before(stage, cause) for stage in STAGES[:failed])
    after = tuple(Finding(stage, None, _NOT_CHECKED) for stage in STAGES[failed + 1 :])
    return *before, Finding(cause.stage, False, cause.words, cause.hint, code), *after


def passed(findings: Iterable[Finding]) -> bool:
    """Return whether every stage passed; where a stage has two findings, the last one counts."""
    last = {one.stage: one.passed for one in findings}
    return bool(last) and all(last.values())


def _before(stage: Stage, cause: Cause) -> Finding:
    is_open = stage in cause.doubtful
    return Finding(stage, None if is_open else True, _OPEN if is_open else _ACCEPTED[stage])


def _code_of(error: BgresearchError) -> str:
    """Return the exchange's code; untrusted text that is no code is left out."""
    code = error.code if isinstance(error, ExchangeError) else ""
    return code if error_code(code) is not None or (code.isascii() and code.isdecimal() and len(code) <= 9) else ""


def _said(stage: Stage, found: Permissions) -> str:
    if stage == "address" and not found.addresses:
        return "The key has no address list: the exchange accepts it from anywhere."
    if stage == "environment":
        return f"The key belongs to the {'demo' if found.demo else 'live'} environment and is used there."
    if stage == "mode":
        return f"The account is a {found.mode} one and is not restricted."
    if stage == "permissions":
        return f"{_ACCEPTED[stage]} Its verdict: {found.verdict}."
    return _ACCEPTED[stage]


def _skew_ms(sender: Sender) -> int:
    """Return the exchange's clock minus this machine's; half the round trip is taken off."""
    endpoint = load()[_TIME]
    reply = sender.send(endpoint, {})
    text = str(reply.data.get("serverTime")) if isinstance(reply.data, dict) else ""
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_TIME):
        raise BadResponse(endpoint.id, "no serverTime in the answer.")
    return int(text) - (reply.asked_ms + reply.received_ms) // 2


def _of_skew(skew_ms: int) -> Finding:
    if abs(skew_ms) < NOTICED_MS:
        return Finding("clock", True, "This computer's clock agrees with the exchange's.")
    how_far, which_way = _span(abs(skew_ms) // 1000), "behind" if skew_ms > 0 else "ahead of"
    verdict = f"This computer's clock is {how_far} {which_way} the exchange's. Requests are corrected for it."
    return Finding("clock", True, verdict, "Turn on automatic date and time in this computer's settings.")


def _span(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
