from __future__ import annotations

from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.errors import InvalidInput
from bgresearch.http.sender import plain_target, query_pairs, wire_target

PATH = "/api/v2/spot/market/candles"
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20)
NAMES = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", min_size=1, max_size=8)


def test_names_ascend_and_none_is_not_sent():
    pairs = query_pairs({"symbol": "BTCUSDT", "limit": 5, "endTime": None, "Alpha": "x"})
    assert plain_target(PATH, pairs) == f"{PATH}?Alpha=x&limit=5&symbol=BTCUSDT"


def test_without_parameters_there_is_no_question_mark():
    assert plain_target(PATH, []) == wire_target(PATH, []) == PATH


def test_an_empty_text_is_sent_empty():
    assert plain_target(PATH, query_pairs({"coin": ""})) == f"{PATH}?coin="


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (7, "7"), (-7, "-7"), (2**63, "9223372036854775808"), (7.0, "7"), (1e3, "1000"),
     ("a", "a"), (np.int64(7), "7"), (np.float64(7), "7")],
)  # fmt: skip
def test_values_have_one_spelling(value, text):
    assert query_pairs({"x": value}) == [("x", text)]


@pytest.mark.parametrize("value", [0.1, float("nan"), float("inf"), [1], {"a": 1}, b"x", object(), 1j])
def test_a_value_without_one_spelling_is_refused_naming_the_parameter(value):
    with pytest.raises(InvalidInput, match=r"^price: ") as caught:
        query_pairs({"price": value})
    assert caught.value.field == "price"


@pytest.mark.parametrize("text", ["a\nb", "a\r", "\x00", "\x7f", "\ud800", "\u2028"])
def test_a_character_that_cannot_be_sent_is_refused(text):
    with pytest.raises(InvalidInput, match="control character"):
        query_pairs({"symbol": text})


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(" ", "%20"), ("+", "%2B"), ("&", "%26"), ("=", "%3D"), ("$ALT", "%24ALT"), ("%", "%25"), ("/", "%2F"),
     ("?", "%3F"), ("#", "%23"), ("é", "%C3%A9"), ("币", "%E5%B8%81"), ("😀", "%F0%9F%98%80"), ("a-b._~", "a-b._~"),
     ("%41", "%2541")],
)  # fmt: skip
def test_percent_encoding_is_that_of_rfc_3986(value, encoded):
    assert wire_target(PATH, [("s", value)]) == f"{PATH}?s={encoded}"


@given(st.dictionaries(NAMES, st.one_of(TEXTS, st.integers(), st.booleans(), st.none()), max_size=6))
def test_unencoding_what_is_sent_gives_what_is_signed_byte_for_byte(params):
    pairs = query_pairs(params)
    sent, signed = wire_target(PATH, pairs), plain_target(PATH, pairs)
    path, mark, query = sent.partition("?")
    assert path.encode() + mark.encode() + unquote_to_bytes(query) == signed.encode()
    assert sent.isascii()
    assert " " not in sent
    assert "+" not in sent
