"""The numbers in docs/security.md are those of the code: each is made of the constant that it tells of."""

from __future__ import annotations

import pytest

from bgresearch.agent.leak_search import BUDGET_BYTES, BUDGET_S
from bgresearch.agent.lifetime import IDLE_S, LONGEST_S, LONGEST_WAIT_S
from bgresearch.agent.live_sockets import MOST_SOCKETS, UNUSED_S
from bgresearch.agent.pending_keys import MOST_STAGED, STAGED_S
from bgresearch.agent.protocol import MAX_LINE_BYTES, MAX_SEARCH_LINE_BYTES, MAX_SEARCHED_BYTES
from bgresearch.agent.requests import PURPOSES
from bgresearch.agent.socket_path import FOLDER_MODE, SOCKET_MODE
from bgresearch.agent.unlocking import MOST_TRIES, PENDING_S
from bgresearch.agent.vault_session import CHECK_PAUSE_S, MOST_HOSTS
from bgresearch.catalogue.response import MAX_BODY_BYTES
from bgresearch.http.transport import BODY_TIMEOUT_S
from bgresearch.store.remote.manifest import PUBLIC
from tests.house.blocks import ROOT
from vault.calibration import LOWEST_S
from vault.envelope import COST_BOUNDS, MAX_FILE_BYTES, MAX_WRAPS, SALT_BYTES, STANDARD
from vault.fields import MIN_SEARCHED_CHARACTERS
from vault.intake import MAX_TTL_S

PAGE = " ".join((ROOT / "docs/security.md").read_text(encoding="utf-8").split())
MIB, KIB = 1024 * 1024, 1024
NUMBERS = {1: "one", 4: "four", 5: "five", 6: "six"}
ORDINALS = {17: "17th", 33: "33rd"}
LEAST, MOST = COST_BOUNDS["memory_kib"]
SENTENCES = [
    f"at least {STANDARD.memory_kib // KIB} MiB, {STANDARD.passes} passes, {STANDARD.lanes} lanes",
    f"`memory_kib` ({LEAST:,} to {MOST:,} are read; {STANDARD.memory_kib:,} and more are written",
    f"`passes` ({COST_BOUNDS['passes'][0]} to {COST_BOUNDS['passes'][1]})",
    f"`lanes` ({COST_BOUNDS['lanes'][0]} to {COST_BOUNDS['lanes'][1]})",
    f"at most {MAX_FILE_BYTES // MIB} MiB", f"`wraps` (1 to {MAX_WRAPS}, of different kinds)",
    f"`salt` ({SALT_BYTES} bytes in hex)", f"Folder 0{FOLDER_MODE:o}, file 0{SOCKET_MODE:o}",
    f"Unix socket 0{SOCKET_MODE:o} in a folder 0{FOLDER_MODE:o}",
    f"Texts under {MIN_SEARCHED_CHARACTERS} characters are not searched",
    f"It ends after {IDLE_S / 60:.0f} minutes without a request", f"after {LONGEST_S / 3600:.0f} hours",
    f"delayed, up to {LONGEST_WAIT_S:.0f} s", f"list of {NUMBERS[len(PUBLIC)]} kinds",
    f"limited to {BODY_TIMEOUT_S:.0f} seconds and {MAX_BODY_BYTES // MIB} MiB", f"{BUDGET_BYTES // MIB} MiB per minute",
    f"more than {BUDGET_BYTES // MIB} MiB a minute", f"some 2^{BUDGET_BYTES.bit_length() - 1} guesses",
    f"An offer lives {MAX_TTL_S // 60} minutes at most",
    f"at most {MAX_LINE_BYTES // KIB} KiB; a search alone may have {MAX_SEARCH_LINE_BYTES // KIB} KiB",
    f"({MAX_SEARCHED_BYTES // KIB} KiB of data)",
    f"at most {MOST_STAGED} are staged, {STAGED_S / 60:.0f} minutes each; a {ORDINALS[MOST_HOSTS + 1]} address",
    f"a {ORDINALS[MOST_SOCKETS + 1]} connection", f"delay, {NUMBERS[MOST_TRIES]} attempts",
    f"one purpose that its offer was for: {', '.join(PURPOSES)}",
]  # fmt: skip
WORDS = [
    ("at most once a minute", CHECK_PAUSE_S == 60), ("used for a minute is closed", UNUSED_S == 60),
    ("its password for ten minutes", PENDING_S == 600), ("about a quarter of a second", LOWEST_S == 0.25),
    ("a minute", BUDGET_S == 60),
]  # fmt: skip


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_number_of_the_page_is_that_of_the_code(sentence: str) -> None:
    assert sentence in PAGE


@pytest.mark.parametrize(("words", "holds"), WORDS)
def test_a_number_in_words_is_that_of_the_code(words: str, *, holds: bool) -> None:
    assert words in PAGE
    assert holds
