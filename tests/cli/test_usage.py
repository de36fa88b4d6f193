"""What every command has in common: wrong usage is said in words, or as an object, and ends with 2."""

from __future__ import annotations

import json

import pytest

import bgresearch
from tests.cli.conftest import Run

WRONG = [
    ((), "Commands:"),
    (("bogus",), "No such command 'bogus'"),
    (("check",), "Missing argument 'NAME'"),
    (("demo", "--bogus"), "No such option"),
    (("download", "candles", "BTCUSDT"), "Missing option '--since'"),
    (("lab", "--port", "0"), "'--port'"),
    (("sandbox", "--port", "many"), "'--port'"),
    (("vault", "add"), "Missing argument 'NAME'"),
    (("vault", "list", "surplus"), "no secret is taken as an argument"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG, ids=lambda value: " ".join(value) if value else "nothing")
def test_wrong_usage_is_said_in_words(run: Run, arguments: tuple[str, ...], words: str) -> None:
    refused = run(*arguments)
    assert refused.status == 2
    assert words in refused.out + refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize(("arguments", "words"), [one for one in WRONG if one[0] and one[0][0] != "lab"], ids=" ".join)
def test_wrong_usage_is_an_object_for_a_machine(run: Run, arguments: tuple[str, ...], words: str) -> None:
    refused = run(*arguments, "--json")
    assert (refused.status, refused.out, refused.err.count("\n")) == (2, "", 1)
    error = json.loads(refused.err)["error"]
    assert error["kind"] == "WrongUsage"
    assert words in error["message"]
    assert error["hint"].endswith("--help.")


def test_the_version_is_reported(run: Run) -> None:
    assert run("--version") == (0, f"bgresearch {bgresearch.__version__}\n", "")


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (("klines",), "bgresearch download candles"), (("unlock",), "bgresearch vault unlock"),
        (("delete",), "bgresearch uninstall"), (("live",), "bgresearch record --live"),
        (("download", "candles", "BTCUSDT", "--start", "1d"), "--since"),
        (("download", "candles", "BTCUSDT", "--since", "1d", "--timeframe", "1h"), "--interval"),
        (("export", "candles", "BTCUSDT", "--since", "1d", "--to", "x.csv", "--end", "now"), "--until"),
        (("explore", "--category", "spot"), "--market"),
    ],
)  # fmt: skip
def test_a_common_wrong_name_is_answered_with_the_right_one(run: Run, arguments: tuple[str, ...], right: str) -> None:
    refused = run(*arguments)
    assert refused.status == 2
    assert right in refused.err
    machine = run(*arguments, "--json")
    assert right in json.loads(machine.err)["error"]["message"]
