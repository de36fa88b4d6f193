from __future__ import annotations

import dataclasses
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.catalogue import Catalogue, Endpoint, load, parse
from bgresearch.catalogue.loader import read_toml
from bgresearch.errors import CatalogueError

GOOD = """[spot.tickers]
path = '/api/v2/spot/market/tickers'
title = 'Get Ticker Information'
page = 'spot/market/Get-Tickers'
permission = 'public'
limit = '20 per 1 s per ip'
params = '''
symbol required
limit max 500 default 100
type default step0 in step0 step1'''
paging = 'id-cursor limit'
page_rows = [100, 500]
response = 'list'
time = 'ts'
columns = '''
symbol string
side enum = buy sell
fee object
  deduction flag
  totalFee decimal quote coin
ts ms ms
rank int !
index[0] ms ms -> open_time'''
notes = '''
one
two'''
"""


def test_no_column_of_any_row_is_a_secret():
    words = ("secret", "passphrase", "privatekey")
    names = [(row.id, column.name.lower()) for row in load() for column in row.columns]
    assert not [(row, name) for row, name in names if any(word in name for word in words)]
    assert len(names) > 3500


def test_a_row_says_what_its_text_says():
    (row,) = parse(GOOD, "spot.toml")
    assert (row.id, row.area, row.name, row.method, row.version) == ("spot.tickers", "spot", "tickers", "GET", "v2")
    assert (row.limit.count, row.limit.seconds, row.limit.scope) == (20, 1.0, "ip")
    assert not row.private
    assert row.documented
    assert row.notes == ("one", "two")
    assert row.param("symbol").required
    assert (row.param("limit").maximum, row.param("limit").default) == (500, "100")
    assert row.param("type").enum == ("step0", "step1")
    assert row.param("nothing") is None
    assert (row.paging.kind, row.paging.params, row.paging.default_rows, row.paging.max_rows) == (
        "id-cursor",
        ("limit",),
        100,
        500,
    )
    columns = {column.path: column for column in row.columns}
    assert columns["side"].enum == ("buy", "sell")
    assert columns["fee.totalFee"].unit == "quote coin"
    assert columns["fee.totalFee"].name == "totalFee"
    assert columns["rank"].deprecated
    assert columns["index[0]"].alias == "open_time"


def test_a_row_without_a_page_is_known_from_clients_alone():
    (row,) = parse(GOOD.replace("page = 'spot/market/Get-Tickers'", "sources = 'ccxt bitget-api'"), "spot.toml")
    assert not row.documented
    assert row.sources == ("ccxt", "bitget-api")


def test_every_row_names_a_source_and_no_row_is_without_columns():
    known = {"ccxt", "bitget-api", "Bitget.Net", "go-bitget"}
    assert [row.id for row in load() if bool(row.page) == bool(row.sources) or not set(row.sources) <= known] == []
    assert [row.id for row in load() if not row.columns] == []


MALFORMED = [
    ("[spot.tickers]", "[Spot.tickers]", "lower case"),
    ("[spot.tickers]", "[spot.tick-ers]", "lower case"),
    ("path = '/api/v2/spot/market/tickers'\n", "", "path is missing"),
    ("permission = 'public'\n", "", "permission is missing"),
    ("page = 'spot/market/Get-Tickers'\n", "", "names its page in the documentation, or in sources"),
    ("page = 'spot/market/Get-Tickers'\n", "sources = ''\n", "names its page in the documentation, or in sources"),
    ("path = ", "sources = 'ccxt'\npath = ", "names its page in the documentation, or in sources"),
    ("limit = '20 per 1 s per ip'\n", "", "limit is missing"),
    ("response = 'list'\n", "", "response is missing"),
    ("'/api/v2/spot/market/tickers'", "'/api/v4/spot'", "is not /api/v2/"),
    ("'/api/v2/spot/market/tickers'", "'https://api.bitget.com/api/v2/x'", "is not /api/v2/"),
    ("'/api/v2/spot/market/tickers'", "'/api/v2/spot/../x'", "is not /api/v2/"),
    ("'/api/v2/spot/market/tickers'", "'/api/v2/spot?x=1'", "is not /api/v2/"),
    ("'20 per 1 s per ip'", "'20 per second'", "limit '20 per second'"),
    ("'20 per 1 s per ip'", "'0 per 1 s per ip'", "limit '0 per 1 s per ip'"),
    ("'20 per 1 s per ip'", "'20 per 1 s per key'", "limit '20 per 1 s per key'"),
    ("'20 per 1 s per ip'", "20", "limit must be of type str"),
    ("symbol required", "symbol wanted", "'wanted' is not required, max, default or in"),
    ("max 500", "max many", "max 'many' is not a positive number"),
    ("max 500", "max 0", "max '0' is not a positive number"),
    ("limit max 500 default 100", "limit max", "max 'nothing'"),
    ("limit max 500 default 100", "limit default", "default has no value"),
    ("limit max 500 default 100", "symbol", "listed twice"),
    ("symbol required\n", "symbol required\n\n", "a line of params is empty"),
    ("'id-cursor limit'", "'scroll limit'", "paging 'scroll' is not one of"),
    ("'id-cursor limit'", "'id-cursor cursor'", "paging names 'cursor', which is not a parameter"),
    ("[100, 500]", "[100]", "page_rows"),
    ("[100, 500]", "['a', 'b']", "page_rows"),
    ("[100, 500]", "[0, 500]", "page_rows"),
    ("response = 'list'", "response = 'rows'", "response 'rows' is not one of"),
    ("time = 'ts'", "time = 'when'", "time 'when' is not a column"),
    ("symbol string", "symbol text", "kind 'text' is unknown"),
    ("symbol string", "symbol", "has no kind"),
    ("symbol string", "~~symbol~~ string", "is not a plain name"),
    ("ts ms ms", "symbol string\nts ms ms", "column symbol is listed twice"),
    ("  deduction flag", "      deduction flag", "is indented without a parent"),
    ("response = 'list'", "response = 'list'\nauthor = 'x'", "author is not a key of a row"),
    ("response = 'list'", "response = 'list'\nmax_pages = 'x'", "max_pages must be of type int"),
    ("response = 'list'", "response = 'list'\nlookback_days = true", "lookback_days must be of type int"),
]


@pytest.mark.parametrize(("old", "new", "reason"), MALFORMED, ids=[case[2] + " " + case[1][:20] for case in MALFORMED])
def test_a_malformed_row_is_refused_naming_file_row_and_reason(old, new, reason):
    assert old in GOOD
    with pytest.raises(CatalogueError) as caught:
        parse(GOOD.replace(old, new, 1), "spot.toml")
    message = str(caught.value)
    assert "spot.toml" in message
    assert "tickers" in message or "tick-ers" in message
    assert reason in message


@pytest.mark.parametrize(
    "text", ["[spot.tickers", "path = ", GOOD + GOOD, GOOD + "limit = '1 per 1 s per ip'\n", "\x00"]
)
def test_what_is_no_toml_is_refused_naming_the_file(text):
    with pytest.raises(CatalogueError, match=r"spot\.toml: not TOML"):
        parse(text, "spot.toml")


@pytest.mark.parametrize("text", ["spot = 1\n", "[spot]\ntickers = 'x'\n", "[spot.tickers]\n", "[[spot]]\nx = 1\n"])
def test_what_is_no_table_of_tables_is_refused_naming_the_file(text):
    with pytest.raises(CatalogueError, match=r"spot\.toml, "):
        parse(text, "spot.toml")


def test_ids_and_paths_are_unique():
    rows = list(load())
    assert len({row.id for row in rows}) == len({row.path for row in rows}) == len(rows) == 401


def test_two_rows_of_one_id_or_path_are_refused():
    (row,) = parse(GOOD, "spot.toml")
    with pytest.raises(CatalogueError, match="is defined twice"):
        Catalogue([row, dataclasses.replace(row, path="/api/v2/other")])
    with pytest.raises(CatalogueError, match="have the same path"):
        Catalogue([row, dataclasses.replace(row, id="spot.other")])


def test_rows_are_frozen_and_hashable():
    row = load()["spot.tickers"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.path = "/api/v2/spot/trade/place-order"
    with pytest.raises(AttributeError):
        row.columns[0].kind = "string"
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.limit.count = 1000
    assert {row: 1}[row] == 1
    assert repr(row) == "<Endpoint spot.tickers: GET /api/v2/spot/market/tickers>"


def test_rows_are_looked_up_by_id_and_by_path():
    table = load()
    assert "spot.tickers" in table
    assert "spot.nothing" not in table
    assert table.at_path("/api/v2/spot/market/tickers") is table["spot.tickers"]
    assert table.at_path("/api/v2/spot/trade/place-order") is None
    with pytest.raises(KeyError):
        table["spot.nothing"]


def test_the_table_is_read_once_per_process():
    assert load() is load()


def test_no_limit_is_longer_than_a_minute_and_paging_names_real_parameters():
    for row in load():
        assert row.limit.seconds <= 60
        assert {param.name for param in row.params} >= set(row.paging.params)
        assert "." not in row.rows_at


def test_time_columns_hold_times():
    kinds = {row.id: {c.kind for c in row.columns if c.name == row.time} for row in load() if row.time}
    texts = {"broker.total_commission"}  # its page shows a date that is no count of milliseconds
    assert {row_id for row_id, found in kinds.items() if found != {"ms"}} == texts


def shipped() -> list[Path]:
    return sorted(Path(str(files("bgresearch.catalogue") / "rows")).glob("*.toml"))


@pytest.mark.parametrize("file", shipped(), ids=lambda file: file.name)
def test_the_quick_reading_of_a_shipped_file_is_what_toml_says(file):
    text = file.read_text("utf-8")
    assert read_toml(text) == tomllib.loads(text)


@given(
    st.lists(st.sampled_from([*GOOD.splitlines(keepends=True), "a = 'b\\n'\n", "x = 1_0\n", "[a.b.c]\n", "#\n", "\t"]))
)
def test_any_shuffle_of_lines_reads_as_toml_does_or_fails_as_toml_does(lines):
    text = "".join(lines)
    try:
        wanted = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(tomllib.TOMLDecodeError):
            read_toml(text)
    else:
        assert read_toml(text) == wanted


def test_an_endpoint_needs_every_field():
    with pytest.raises(TypeError):
        Endpoint(id="spot.x")
