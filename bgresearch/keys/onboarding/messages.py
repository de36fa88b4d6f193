"""The messages of the wizard and the key manager, each once, for forms and terminal.

Messages that belong to a decision are in its module: causes of refusal in `error_explanations`, boxes in `purposes`,
addresses in `ip_whitelist`, verdicts in `verdicts`, hints about pasted texts in `paste_checks`,
meanings of words in `glossary`.
"""

from __future__ import annotations

from bgresearch.keys.onboarding.finding import Stage

SANDBOX = "Sandbox: made-up data. Do not type a real key."
SANDBOX_KEY = "Use a sandbox key"
SANDBOX_KEY_HELP = "The sandbox has keys of its own, without value; one click takes a read-only one."
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

STEP_NAMES = {
    "before": "Start",
    "purpose": "Purpose",
    "address": "Addresses",
    "open": "Vault",
    "key": "Key",
    "check": "Check",
    "verdict": "Verdict",
    "done": "Balances",
}

BEGIN = "Another purpose"
QUICK = "Read-only, my own history"
QUICK_HELP = (
    f'The shortest way, about two minutes: "{QUICK}" chooses a key that only reads your own spot and futures history. '
    f'"{BEGIN}" lets you choose.'
)
NEXT = "Next"
BACK = "Back"
START_OVER = "Start over"
CREATE_VAULT = "Create the vault"
VAULT_CREATED = "Your vault is created and open."
SHOW_RECOVERY = "Show a recovery code"
NO_RECOVERY = "Continue without a recovery code"
COMPARE = "Compare"
UNLOCK = "Unlock"
CHANGE_NAME = "Change the name"
SEAL = "Seal and check"
TYPE_AGAIN = "Type the key again"
CHECK_AGAIN = "Check again"
SEE_VERDICT = "See the verdict"
SAVE_KEY = "Save the key"
ANOTHER_KEY = "Make another key"

MASTER_PASSWORD = "Master password"  # noqa: S105 - labels of fields
NEW_PASSWORD = "New master password"  # noqa: S105
KEY_NAME = "Name of the key"
REMIND = "Replace the key by (reminder)"
REMIND_HELP = "The table of keys reminds you two weeks earlier. Change the date if you like."
REMIND_MISSING = "This is not a whole date. Choose one in the calendar, or type day, month and year."
REMIND_PAST = "This date is not in the future. Choose a later one."
BALANCES_SHOWN = "Value in USD"

BEFORE = (
    "Two-factor authentication should be on in your exchange account; turn it on first if it is not.",
    "An account can have ten keys. If yours does, delete one that you no longer use.",
    "You choose a passphrase when you make the key. It is not your login password; if it is lost, make a new key.",
    "The exchange shows the SecretKey once, when the key is made. Leave that page open until you are done here.",
    "Nothing is saved before you have seen what the key can do.",
)
STAGE_TITLES: dict[Stage, str] = {
    "reach": "Exchange reachable",
    "clock": "Clock",
    "key": "API key",
    "signature": "SecretKey",
    "passphrase": "Passphrase",
    "address": "Network address",
    "environment": "Demo or live",
    "mode": "Account",
    "permissions": "Permissions",
}
VERDICT_SIGNS = {True: "✓ OK", False: "✗ failed", None: "? not checked"}

MODE_QUESTION = "Which mode is the account in?"
ADDRESS_QUESTION = "Addresses that may use the key"
ADDRESS_NONE = "Without an address list the key works from anywhere, and the verdict can be no better than amber."

NEW_VAULT = (
    "Your keys are kept in an encrypted file, the vault. One master password opens it. Use four or more unrelated "
    "words; if you forget this password, it cannot be recovered."
)
OPEN_VAULT = "Your vault is locked. Type its master password to open it."
PASSWORD_WEAK = "This password could be guessed. Length helps more than special characters: add words."  # noqa: S105 - advice
RECOVERY_OFFER = (
    "A recovery code opens the vault if the master password is forgotten. It is shown once; write it on paper and keep "
    "it away from this computer."
)
RECOVERY_ASKED = "To make sure that you wrote it down, type two of its groups."

KEY_HELP = (
    "Copy the three texts from the exchange's page, one by one. They are encrypted for the agent, the only "
    "process that can read them, before they leave this window; nothing else sees them."
)
FINGERPRINT = "The agent's fingerprint. It is the same wherever it is shown: {fingerprint}"
LABEL_HELP = "A name for the key, such as research. You use it in Python; it is not secret."
LABEL_TAKEN = "There is already a key with this name. Choose another name, or replace that key (rotate)."

CHECKING = "Each step sends a read request to the exchange and changes nothing there."
CHECK_PASSED = "All stages passed."
CHECK_FAILED = "One stage failed. Nothing was saved; fix what it reports and type the key again."

DONE = "API status: connected"
DONE_LINES = ("import bgresearch as bg", 'client = bg.connect(key="{label}")', "client.account.assets()")
REMINDER = "Replace this key by {date}; the table of keys reminds you two weeks earlier."
STOPPED = "Stopped. Nothing was saved, and what was typed was discarded."
NOT_SAVED = "Nothing was saved."
ON_PURPOSE = "To keep a key that can trade or transfer, use --accept-trade."
SAVED = "Saved {label!r}."
UNCHECKED = "It was not checked at the exchange. Next: bgresearch check {label}"
UNREACHABLE = "The exchange could not be reached, so the key was not checked. To check it: bgresearch check {label}"
INTERRUPTED = "Start again with the same command: what is done already is skipped."

ROTATE = (
    "Make a new key on the exchange with the same boxes and the same address list.",
    "Type it here. It is checked before it replaces the old one.",
    "Then delete the old key on the exchange.",
)
BOUND_TO = "{label!r} is used at {host} and nowhere else: the new key is checked and saved for that address."
ROTATED = "{label!r} is the new key now. Delete the old one on the exchange: until then it still works."
REMOVE = "This removes the key from the vault only: delete it on the exchange too, or it stays valid."
REMOVED = "Removed {label!r} here. Now delete it on the exchange too."
COMPROMISED_FIRST = "Delete the key on the exchange now, before anything else. Anyone who has it can use it until then."
COMPROMISED = (
    "Look through the exchange's own lists of logins, orders, transfers and withdrawals for anything that was not you.",
    "If you find anything, inform the exchange's support, and change login password and two-factor authentication.",
    "Find out where the key was seen: bgresearch scan searches notebooks, histories and git.",
    "Then remove the key from the vault here, and make a new one, with an address list.",
)
COMPROMISED_DELETED = "Is the key deleted on the exchange?"
COMPROMISED_NOT_YET = "Delete it there first; the vault keeps the key until then, so that you know which it is."

LEAST = "A key should have no more than it needs. These boxes can be unticked: {boxes}."
LACKING = "For what you want to do, these boxes are missing: {boxes}."
AREAS = "Endpoints that the key can read, by area of the catalogue"
