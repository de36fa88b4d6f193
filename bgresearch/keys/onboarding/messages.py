"""Every sentence that the wizard and the key manager say, each once: forms and terminal read them here.

What belongs to a decision stands beside it: causes of refusal in `causes`, boxes in `purposes`, addresses in
`addresses`, verdicts in `verdicts`, hints about pasted texts in `pasted`.
"""

from __future__ import annotations

from bgresearch.keys.onboarding.finding import Stage

TITLE = "Make a read-only key and keep it safely"
STEP_TITLES = {
    "before": "Before you start",
    "purpose": "What do you want to do?",
    "address": "Where will the key be used from?",
    "open": "Your vault",
    "key": "The new key",
    "check": "The key is being checked",
    "verdict": "What this key can do",
    "done": "Your key is ready",
}

BEFORE = (
    "Two-factor authentication should be on in your exchange account; turn it on first if it is not.",
    "An account can have ten keys. Delete one that you no longer use if there is no room.",
    "You choose a passphrase when you make the key. It is not your login password; if it is lost, make a new key.",
    "The exchange shows the SecretKey once, when the key is made. Leave that page open until you are done here.",
    "It takes about five minutes. Nothing is saved before you have seen what the key can do.",
)
STAGE_TITLES: dict[Stage, str] = {
    "reach": "Exchange reached",
    "clock": "Clock",
    "key": "API key known",
    "signature": "SecretKey fits",
    "passphrase": "Passphrase",
    "address": "Network address",
    "environment": "Demo or live",
    "mode": "Account",
    "permissions": "Rights read",
}
VERDICT_SIGNS = {True: "✓ in order", False: "✗ failed", None: "? not told"}

MODE_QUESTION = "Which mode is the account in?"
ADDRESS_QUESTION = "Addresses that may use the key"
ADDRESS_NONE = "Without an address list the key works from anywhere, and the verdict can be no better than amber."

NEW_VAULT = (
    "Your keys are kept in an encrypted file, the vault. One master password opens it. Take four or more words that do "
    "not belong together; nobody can tell you this password if you forget it."
)
OPEN_VAULT = "Your vault is locked. Type its master password to open it."
PASSWORD_WEAK = "This password could be guessed. Longer is better than stranger: add words."  # noqa: S105 - advice
RECOVERY_OFFER = (
    "A recovery code opens the vault if the master password is forgotten. It is shown once; write it on paper and keep "
    "it where this computer is not."
)
RECOVERY_ASKED = "So that it really stands on paper, two of its groups are asked back."

KEY_HELP = (
    "Copy the three texts from the exchange's page, one after the other. They are encrypted for the agent, the one "
    "process that may read them, before they leave this window; nothing else sees them."
)
FINGERPRINT = "The agent's fingerprint. It is the same wherever it is shown: {fingerprint}"
LABEL_HELP = "A name for the key, such as research. You use it in Python; it is not secret."
LABEL_TAKEN = "There is a key of this name already. Take another name, or replace that key (rotate)."

CHECKING = "Each step asks the exchange and changes nothing there."
CHECK_PASSED = "Every stage is in order."
CHECK_FAILED = "One stage failed. Nothing was saved; mend what it says and type the key again."

DONE = "API status: connected"
DONE_LINES = ("import bgresearch as bg", 'client = bg.connect(key="{label}")', "client.account.assets()")
REMINDER = "Replace this key by {date}; the table of keys reminds you two weeks before."
STOPPED = "Stopped. Nothing was saved; what was typed is forgotten."
NOT_SAVED = "Nothing was saved."
ON_PURPOSE = "If it shall trade or transfer: --accept-trade keeps it."
SAVED = "Saved {label!r}."
UNCHECKED = "It was not checked at the exchange. Next: bgresearch check {label}"
UNREACHED = "The exchange could not be reached, so the key was not checked. Before you use it: bgresearch check {label}"
INTERRUPTED = "Start again with the same command: what is done already is skipped."

ROTATE = (
    "Make a new key on the exchange with the same boxes and the same address list.",
    "Type it here. It is checked before it takes the old one's place.",
    "Then delete the old key on the exchange.",
)
BOUND_TO = "{label!r} is used at {host} and nowhere else: the new key is tried and kept for that address."
ROTATED = "{label!r} is the new key now. Delete the old one on the exchange: until then it still works."
REMOVE = "The vault forgets the key, the exchange does not: delete it there too, or it goes on working."
REMOVED = "Removed {label!r} here. Now delete it on the exchange too."
COMPROMISED_FIRST = "Delete the key on the exchange now, before anything else. Whoever has it can use it until then."
COMPROMISED = (
    "Look through the exchange's own lists of logins, orders, transfers and withdrawals for what was not you.",
    "If anything was, tell the exchange's support, and change login password and two-factor authentication.",
    "Find out where the key was seen: bgresearch scan looks through notebooks, histories and git.",
    "Then the vault forgets the key here, and you make a new one, with an address list.",
)
COMPROMISED_DELETED = "Is the key deleted on the exchange?"
COMPROMISED_NOT_YET = "Delete it there first; the vault keeps the key until then, so that you know which it is."

LEAST = "Give a key no more than it needs: these boxes could be taken away: {boxes}."
LACKING = "For what you want to do, these boxes are missing: {boxes}."
AREAS = "What the key may ask, by area of the catalogue"
