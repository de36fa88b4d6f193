"""The sandbox exchange, made from the same table as the client: offline, deterministic, strict.

It must never import the client, open a connection to anywhere, or hold anything secret: its keys are public knowledge.
``bgresearch.sandbox.server`` (the extra ``sandbox``) serves it on a loopback port.
"""

from bgresearch.sandbox.adapter import SandboxAdapter
from bgresearch.sandbox.call import Call, Refusal, Responder
from bgresearch.sandbox.exchange import Exchange
from bgresearch.sandbox.faults import Faults
from bgresearch.sandbox.messages import Request, Response
from bgresearch.sandbox.traders.keys import SANDBOX_KEYS, SandboxKey

__all__ = [
    "SANDBOX_KEYS",
    "Call",
    "Exchange",
    "Faults",
    "Refusal",
    "Request",
    "Responder",
    "Response",
    "SandboxAdapter",
    "SandboxKey",
]
