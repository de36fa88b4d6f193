"""What the terms of the wizard mean, each as a question and its answer, and which of them every page needs."""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """One word, explained."""

    question: str
    answer: str


TERMS: dict[str, Term] = {
    "two-factor": Term(
        "What is two-factor authentication?",
        "A second proof at every sign-in, such as a code from an app on your telephone. You turn it on in the security "
        "settings of your exchange account; the exchange asks for it when you make a key.",
    ),
    "API key": Term(
        "What is an API key?",
        "An entry in your exchange account that lets a program ask for data in your name. It has three texts: the API "
        "key, which begins with bg_ and names the entry, the SecretKey and the passphrase.",
    ),
    "SecretKey": Term(
        "What is the SecretKey?",
        "The text that signs requests and so proves that they are yours. The exchange shows it once. If you lose it, "
        "delete the key on the exchange and make another.",
    ),
    "passphrase": Term(
        "What is the passphrase?",
        "A password of this one key. You choose it on the exchange's page when you make the key. It is neither your "
        "login password nor the vault's master password.",
    ),
    "boxes": Term(
        "What are the boxes?",
        "Permissions of a key: on its page the exchange lists what a key may read or change, each with a box to tick. "
        "Tick only those that are listed here.",
    ),
    "read-only": Term(
        "What does read-only mean?",
        "The exchange answers such a key's questions and refuses everything that would change something: orders, "
        "transfers, withdrawals.",
    ),
    "unified": Term(
        "What is a unified or a classic account?",
        "Two kinds of accounts at the exchange. A unified account holds spot and futures together; a classic one has "
        "an account for each. They have different boxes. The check finds out which yours is.",
    ),
    "demo": Term(
        "What is the demo environment?",
        "A copy of the exchange with play money. It needs keys that were made in its demo mode.",
    ),
    "HMAC": Term(
        "What are HMAC and RSA?",
        "Two ways to sign requests. An HMAC key is made by the exchange and has a SecretKey; for an RSA key you make a "
        "key pair yourself. HMAC is the usual one.",
    ),
    "address list": Term(
        "What is an address list?",
        "The internet addresses from which the exchange accepts the key. From anywhere else the key is refused, even "
        "if somebody has all of its texts.",
    ),
    "vault": Term(
        "What is the vault?",
        "An encrypted file on this machine that holds your keys. Without its master password, or its recovery code, "
        "it cannot be opened.",
    ),
    "master password": Term(
        "What is the master password?",
        "The password of the vault. You choose it here. It is stored nowhere, so it cannot be recovered.",
    ),
    "recovery code": Term(
        "What is a recovery code?",
        "A second way to open the vault: eight groups of letters and digits that are shown once, for paper.",
    ),
    "agent": Term(
        "What is the agent?",
        "A program of yours in the background. It alone opens the vault and signs requests; notebooks ask it and never "
        "see a key. It locks by itself when it is not used.",
    ),
    "fingerprint": Term(
        "What is the fingerprint?",
        "Letters that identify the agent. If they are the same here and in `bgresearch vault status`, what you type "
        "is encrypted for your own agent.",
    ),
    "verdict": Term(
        "What does the verdict mean?",
        "Green: the key only reads, from listed addresses. Amber: it only reads, from anywhere. Red: it can change "
        "something. A key that can withdraw is never saved.",
    ),
    "reminder": Term(
        "What is the reminder?",
        "The day by which you want to replace this key with a new one. The key works on; it is a note to yourself.",
    ),
}
TERMS_OF: dict[str, tuple[str, ...]] = {  # by the wizard's steps: what their pages say
    "before": ("two-factor", "API key", "SecretKey", "passphrase", "read-only"),
    "purpose": ("read-only", "boxes", "unified", "demo", "HMAC"),
    "address": ("address list",),
    "open": ("vault", "master password", "recovery code", "agent", "fingerprint"),
    "key": ("API key", "SecretKey", "passphrase", "boxes", "read-only", "unified", "HMAC", "address list", "agent",
            "fingerprint"),
    "check": ("read-only", "API key", "SecretKey", "passphrase", "address list", "demo", "verdict"),
    "verdict": ("read-only", "boxes", "address list", "reminder"),
    "done": (),
}  # fmt: skip
