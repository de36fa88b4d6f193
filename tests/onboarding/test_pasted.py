"""Hints about pasted texts: the same in Python and in the browser's script, and never the text itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.keys.onboarding.paste_checks import FIELDS, LONGEST, blemish, hints, swapped
from bgresearch.sandbox import SANDBOX_KEYS
from tests.conftest import PATIENCE_S
from vault import InvalidField
from vault.entries import Triple
from vault.fields import MAX_SECRET_CHARACTERS, check_triple
from vault.hidden import Hidden

ROOT = Path(__file__).parents[2]
CASES: list[dict[str, Any]] = json.loads((ROOT / "tests/vectors/pasted.json").read_text(encoding="utf-8"))["cases"]
NODE = shutil.which("node")
IN_JS = """
import { blemish, swapped } from %s;
import { readFileSync } from "node:fs";
const kind = (field, text) => field === "passphrase" ? "passphrase" : text.startsWith("-----BEGIN ") ? "pem" : "key";
const told = JSON.parse(readFileSync(0, "utf8")).map(({ texts }) => ({
  blemishes: Object.fromEntries(Object.entries(texts).map(([field, text]) => [field, blemish(kind(field, text), text)])
    .filter(([, words]) => words)),
  swapped: swapped(texts),
}));
console.log(JSON.stringify(told));
"""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_python_says_what_the_table_says(case: dict[str, Any]) -> None:
    texts = case["texts"]
    assert {field: words for field in FIELDS if (words := blemish(field, texts[field]))} == case["blemishes"]
    assert swapped(texts) == case["swapped"]


@pytest.mark.skipif(NODE is None, reason="node is not installed; the browser's tests hold the script to the same table")
def test_the_browser_s_script_says_what_the_table_says() -> None:
    script = json.dumps((ROOT / "bgresearch/forms/pasted.js").as_uri())
    done = subprocess.run(  # noqa: S603
        [str(NODE), "--input-type=module", "--no-warnings", "-e", IN_JS % script],
        input=json.dumps(CASES), capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [{name: case[name] for name in ("blemishes", "swapped")} for case in CASES]


@pytest.mark.parametrize("name", SANDBOX_KEYS)
def test_a_key_as_the_exchange_shows_it_gets_no_hint(name: str) -> None:
    key = SANDBOX_KEYS[name]
    assert hints({"api_key": key.api_key, "secret_key": key.secret_key, "passphrase": key.passphrase}) == ()


def test_hints_come_in_the_order_of_the_form_with_all_that_is_wrong_in_a_field() -> None:
    found = hints({"passphrase": "bg_" + "a" * 32, "api_key": " x", "secret_key": "b"})
    assert [one.field for one in found] == ["api_key", "api_key", "passphrase"]


@given(st.sampled_from(FIELDS), st.text(min_size=12, max_size=300))
def test_no_hint_repeats_the_text(field: str, text: str) -> None:
    reported = " ".join(one.words for one in hints({field: text}))
    assert text not in reported
    assert reported.isprintable()


@given(st.sampled_from(FIELDS), st.text(min_size=1, max_size=LONGEST))
def test_what_has_no_blemish_the_vault_takes_and_what_has_one_it_refuses(field: str, text: str) -> None:
    texts = {name: Hidden(text if name == field else "fine") for name in FIELDS}
    try:
        check_triple(Triple(**texts))
        taken = True
    except InvalidField:
        taken = False
    assert taken is (blemish(field, text) is None)


def test_the_longest_text_is_the_vault_s() -> None:
    assert LONGEST == MAX_SECRET_CHARACTERS
