from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bgresearch.catalogue.error_codes import error_code, error_codes, parse_codes
from bgresearch.errors import CatalogueError

FACTS = Path(__file__).parents[3] / "shared" / "bitget"
RETRY = {"no": "no", "yes": "yes", "after-resync": "resync", "after-cooldown": "cooldown"}


@pytest.mark.skipif(not FACTS.exists(), reason=f"no fact base at {FACTS}")
@pytest.mark.parametrize("name", ["errors.csv", "errors_rare.csv"])
def test_every_rest_code_has_its_group_and_says_whether_a_retry_helps(name):
    with (FACTS / name).open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["channel"] == "rest" and line["code"] != "00000"]
    wrong = []
    for line in lines:
        known = error_code(line["code"])
        if known is None or (known.group, known.retry) != (line["group"], RETRY[line["retryable"]]):
            wrong.append((line["code"], line["group"], line["retryable"], known))
    print(f"\ncompared {len(lines)} codes of {name}")
    assert not wrong


def test_leading_zeros_matter():
    assert error_code("00001") is not None
    assert error_code("1") is None


def test_an_unknown_code_is_none():
    assert error_code("99999") is None


def test_success_is_no_error():
    assert error_code("00000") is None


@pytest.mark.parametrize(
    "text",
    [
        "40009 = 'auth no'",
        "40009 = 'login no signature mismatch'",
        "40009 = 'auth maybe signature mismatch'",
        "40009 = 1",
        "code = 'auth no signature mismatch'",
        "40009",
    ],
)
def test_a_malformed_line_is_refused_naming_the_file(text):
    with pytest.raises(CatalogueError, match=r"errors\.toml"):
        parse_codes(text)


def test_the_table_is_of_the_size_it_should_be():
    assert len(error_codes()) > 200
