from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch import frames
from bgresearch.catalogue import Endpoint, load, parse
from bgresearch.core.once_a_day import OncePerDay
from bgresearch.errors import AuthenticationError, BadResponse, UndocumentedData
from bgresearch.frames import candle_table, decode, to_frame, to_table

TEXT = str(pd.Series(["text"]).dtype)  # pandas 3 calls it str, pandas 2 object

TABLE = load()
ROW = """[spot.made_up]
path = '/api/v2/spot/made/up'
permission = 'public'
limit = '20 per 1 s per ip'
response = 'list'
sources = 'made-up'
columns = '''
name string
orderId id
price decimal
share percent
count int
ts ms ms
active flag
open bool
side enum
fee object
  coin string
  total decimal
  deep object
    rate decimal
legs list
  price decimal
raw json'''"""


@pytest.fixture(autouse=True)
def forget_warnings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(frames, "_said", OncePerDay())
    return


def new_fields(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of fields that the table does not know."""
    return [one.getMessage().partition(" is not in the table")[0] for one in caplog.records]


@pytest.fixture(scope="module")
def row() -> Endpoint:
    return parse(ROW, "made_up.toml")[0]


def body(data: object) -> bytes:
    return json.dumps({"code": "00000", "msg": "success", "data": data}).encode()


def column(row: Endpoint, label: str, *values: object) -> pd.Series:
    return decode(row, body([{label: value} for value in values]))[label]


def test_every_kind_has_its_dtype(row):
    frame = decode(row, body([{}]))
    assert {label: str(dtype) for label, dtype in frame.dtypes.items()} == {
        "name": TEXT, "orderId": TEXT, "price": "float64", "share": "float64", "count": "Int64",
        "ts": "datetime64[ms, UTC]", "active": "boolean", "open": "boolean", "side": "category", "fee.coin": TEXT,
        "fee.total": "float64", "fee.deep.rate": "float64", "legs": TEXT, "raw": TEXT,
    }  # fmt: skip
    assert frame.isna().all(axis=None)


@pytest.mark.parametrize("data", [None, "", [], {}])
def test_no_rows_still_have_every_column(row, data):
    frame = decode(row, body(data))
    assert len(frame) == 0
    assert list(frame.columns) == list(decode(row, body([{}])).columns)
    assert dict(frame.dtypes) == dict(decode(row, body([{}])).dtypes)


def test_times_are_read_from_milliseconds_and_from_ten_digit_seconds(row):
    times = column(row, "ts", "1700000000123", 1700000000123, "1700000000", 1700000000)
    assert (
        list(times)
        == [pd.Timestamp(1700000000123, unit="ms", tz="UTC")] * 2 + [pd.Timestamp(1700000000, unit="s", tz="UTC")] * 2
    )


@pytest.mark.parametrize("nothing", ["", "0", "-1", 0, -1, None, " "])
def test_no_time_is_nat_without_a_word(row, nothing):
    assert column(row, "ts", nothing, "1700000000123").isna().tolist() == [True, False]


@pytest.mark.parametrize(
    "odd", ["soon", "2024-01-01", "12", "-5", "1e12", "1700000000123456", "99999999999999999999", True, 1.5, [1], {}]
)
def test_what_is_no_time_is_left_out_with_a_word(row, odd):
    if odd == {}:
        assert column(row, "ts", odd).isna().all()
        return
    with pytest.warns(UndocumentedData, match=r"spot\.made_up: row 1.*: ts is not of kind ms"):
        assert column(row, "ts", odd, "1700000000123").isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("value", "number"),
    [("1.5", 1.5), ("-0.1", -0.1), ("1e-10", 1e-10), ("1E5", 1e5), (1.5, 1.5), (7, 7.0), (" 2 ", 2.0),
     ("+3", 3.0), (".5", 0.5),
     ("0x10", None), ("1,000", None), ("--", None), ("nan", None), ("inf", None), ("1_0", None), ("10%", None),
     (True, None), ([1], None)],
)  # fmt: skip
def test_decimals_are_numbers_or_nothing(row, value, number):
    if number is not None:
        assert column(row, "price", value).tolist() == [number]
        return
    with pytest.warns(UndocumentedData, match="row 1: price is not of kind decimal"):
        assert column(row, "price", value, "2.5").tolist()[1:] == [2.5]


@given(st.lists(st.floats(1e-10, 1e10) | st.floats(-1e10, -1e-10), min_size=1, max_size=50))
def test_decimals_are_exact_to_the_last_bit(numbers):
    row = parse(ROW, "made_up.toml")[0]
    for spell in (repr, lambda number: f"{number:.17f}", lambda number: f"{number:.12e}"):
        texts = [spell(number) for number in numbers]
        assert column(row, "price", *texts).tolist() == [float(text) for text in texts]


def test_percentages_are_fractions(row):
    assert column(row, "share", "175%", "0.5%", "0.25", "", None).tolist()[:3] == [1.75, 0.005, 0.25]
    assert decode(row, body([{"share": "1%"}])).attrs["bgresearch"]["units"] == {"share": "ratio (1=100%)"}


def test_whole_numbers_are_exact_and_may_be_missing(row):
    assert column(row, "count", "7", 8, "9007199254740993", "2.0", 3.0, "", "-4").tolist() == [
        7, 8, 9007199254740993, 2, 3, pd.NA, -4
    ]  # fmt: skip
    with pytest.warns(UndocumentedData, match="row 1: count is not of kind int"):
        assert column(row, "count", "1.5", "x", 2**63, True).isna().all()


@pytest.mark.parametrize("label", ["active", "open"])
def test_flags_are_read_in_every_spelling(row, label):
    yes, no = ["yes", "YES", "on", "true", "True", "1", 1, True], ["no", "NO", "off", "false", "0", 0, False]
    assert column(row, label, *yes, *no, "").tolist() == [True] * len(yes) + [False] * len(no) + [pd.NA]


def test_what_is_no_flag_is_left_out_with_a_word(row):
    with pytest.warns(UndocumentedData, match="row 1: active is not of kind flag"):
        assert column(row, "active", "maybe", "yes").tolist() == [pd.NA, True]


def test_ids_stay_text_and_exact(row):
    assert column(row, "orderId", 9223372036854775809, "0001", 1131405566368010241).tolist() == [
        "9223372036854775809", "0001", "1131405566368010241"
    ]  # fmt: skip


def test_sides_are_lower_case_and_other_spellings_are_the_exchange_s(row):
    sides = column(row, "side", "Buy", "sell", "liquidation-Sell", "")
    assert sides.tolist()[:3] == ["buy", "sell", "liquidation-Sell"]
    assert set(sides.cat.categories) == {"buy", "sell", "liquidation-Sell"}


def test_objects_become_dotted_columns_and_lists_stay_json(row):
    data = [
        {"fee": {"coin": "BTC", "total": "-0.5", "deep": {"rate": "0.1"}}, "legs": [{"price": "1"}, {"price": "2"}]}
    ]
    frame = decode(row, body(data))
    assert frame[["fee.coin", "fee.total", "fee.deep.rate"]].iloc[0].tolist() == ["BTC", -0.5, 0.1]
    assert frame["legs"][0] == '[{"price":"1"},{"price":"2"}]'


def test_an_object_inside_a_text_is_opened_where_fields_are_documented(row):
    frame = decode(row, body([{"fee": '{"coin":"BTC","total":"1"}', "raw": '{"a":1}'}]))
    assert frame["fee.coin"][0] == "BTC"
    assert frame["raw"][0] == '{"a":1}'


@pytest.mark.parametrize("odd", ["{broken", "text", 7, [1], [{"coin": "BTC"}]])
def test_an_object_of_another_shape_is_kept_as_text(row, odd, caplog):
    frame = decode(row, body([{"fee": odd}]))
    assert new_fields(caplog) == ["spot.made_up: fee"]
    assert frame["fee"][0] == (odd if isinstance(odd, str) else json.dumps(odd, separators=(",", ":")))
    assert frame["fee.coin"].isna().all()


def test_unknown_fields_are_kept_as_text_and_said_once_in_the_log(row, caplog):
    frame = decode(row, body([{"brandNew": 1}, {"brandNew": {"a": [True]}}, {}]))
    assert frame["brandNew"].tolist()[:2] == ["1", '{"a":[true]}']
    assert frame["brandNew"].isna().tolist() == [False, False, True]
    decode(row, body([{"brandNew": 1}]))
    assert new_fields(caplog) == ["spot.made_up: brandNew"]


def test_an_unknown_field_is_said_again_on_the_next_day_of_the_clock(row, caplog, clock):
    for hours in (0, 1, 24, 1):
        clock.advance(hours * 3600)
        decode(row, body([{"brandNew": 1}]), clock)
    assert new_fields(caplog) == ["spot.made_up: brandNew"] * 2


def test_unknown_fields_inside_objects_are_dotted(row, caplog):
    assert decode(row, body([{"fee": {"brandNew": 1}}]))["fee.brandNew"].tolist() == ["1"]
    assert new_fields(caplog) == ["spot.made_up: fee.brandNew"]


def test_a_time_next_to_the_rows_is_reported_to_every_row():
    frame = decode(
        TABLE["futures.open_interest"],
        body({"openInterestList": [{"symbol": "A", "size": "1"}, {"symbol": "B", "size": "2"}], "ts": "1695796781616"}),
    )
    assert list(frame["ts"]) == [pd.Timestamp(1695796781616, unit="ms", tz="UTC")] * 2


def test_cursors_stand_next_to():
    frame = decode(TABLE["futures.order_fills"], body({"fillList": [], "endId": "12"}))
    assert len(frame) == 0
    assert frame.attrs["bgresearch"] == {
        "endpoint": "futures.order_fills", "beside": {"endId": "12"}, "source": "contract/trade/Get-Order-Fills",
        "units": {"baseVolume": "base coin", "quoteVolume": "quote coin"},
    }  # fmt: skip


def test_an_object_is_one_row_and_bare_values_are_rows():
    assert decode(TABLE["common.time"], body({"serverTime": "1700000000000"})).shape == (1, 1)
    assert decode(TABLE["spot.wallet_transfer_coin_info"], body(["BTC", "ETH"]))["coin"].tolist() == ["BTC", "ETH"]


def test_a_bare_value_where_an_object_is_documented_is_kept(caplog):
    assert decode(TABLE["common.time"], body("1700000000000"))["value"].tolist() == ["1700000000000"]
    assert new_fields(caplog) == ["common.time: value"]


def test_extra_places_of_rows_without_keys_are_kept(caplog):
    candle = ["1700000000000", "1", "2", "0.5", "1.5", "10", "15", "15", "new"]
    frame = decode(TABLE["spot.candles"], body([candle]))
    assert new_fields(caplog) == ["spot.candles: index[8]"]
    assert frame["index[8]"].tolist() == ["new"]
    assert frame["open_time"][0] == pd.Timestamp(1700000000, unit="s", tz="UTC")


def test_rows_of_different_length_do_not_crash():
    frame = decode(TABLE["spot.candles"], body([["1700000000000", "1"], []]))
    assert frame["open"].isna().tolist() == [False, True]


def test_half_characters_do_not_crash(row):
    with pytest.warns(UndocumentedData):
        frame = decode(
            row, b'{"code":"00000","data":[{"name":"a\\ud800","price":"\\ud800","side":"\\ud800","\\ud800":"x"}]}'
        )
    assert frame["name"][0] == "a?"


def test_an_error_body_raises_the_exchange_s_error(row):
    with pytest.raises(AuthenticationError):
        decode(row, b'{"code":"40009","msg":"sign signature error","data":null}')


def test_provenance_lands_in_attrs_and_the_arrow_table_has_no_pandas_in_it(row):
    table = to_table(row, [{"price": "1"}])
    assert isinstance(table, pa.Table)
    frame = to_frame(table, key="research", requests=3)
    assert frame.attrs["bgresearch"]["key"] == "research"
    assert frame.attrs["bgresearch"]["requests"] == 3
    assert to_frame(pa.table({"x": [1]}), a=1).attrs["bgresearch"] == {"a": 1}


def test_a_frame_survives_parquet(row, tmp_path):
    frame = decode(
        row, body([{"name": "a", "price": "1.5", "ts": "1700000000123", "side": "buy", "active": "yes", "count": 3}])
    )
    frame.to_parquet(tmp_path / "x.parquet")
    again = pd.read_parquet(tmp_path / "x.parquet")
    assert again.attrs == frame.attrs
    pd.testing.assert_frame_equal(again, frame, check_dtype=True)


NAMES = st.sampled_from(["fillList", "list", "ts", "price", "fee", "feeDetail", "symbol", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
    | st.sampled_from(["1", "1.5", "--", "", "0", "-1", "yes", "1700000000000"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
SHAPES = [
    TABLE[name]
    for name in (
        "spot.tickers", "spot.trade_fills", "futures.order_fills", "common.time", "uta.open_interest",
        "futures.open_interest", "uta.account_assets", "spot.wallet_transfer_coin_info",
    )
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::bgresearch.errors.UndocumentedData")
@given(JSON, st.sampled_from(SHAPES))
def test_no_shape_crashes(data, endpoint):
    try:
        frame = decode(endpoint, body(data))
    except BadResponse:
        return
    assert not set(decode(endpoint, body(None)).columns) - set(frame.columns) - {endpoint.time}


@pytest.mark.parametrize("endpoint", list(TABLE), ids=lambda endpoint: endpoint.id)
def test_every_row_of_the_table_makes_an_empty_frame(endpoint):
    frame = decode(endpoint, body(None))
    assert len(frame) == 0
    assert len(set(frame.columns)) == len(frame.columns)


SPOT, FUTURES = TABLE["spot.candles"], TABLE["futures.candles"]
SPOT_ROW = ["1700000000000", "1", "4", "0.5", "2", "10", "20.5", "20"]


def test_candles_take_volume_and_quote_volume_from_where_the_row_says():
    spot = candle_table(SPOT, [SPOT_ROW]).to_pylist()[0]
    assert (spot["volume"], spot["quote_volume"]) == (10.0, 20.0)
    futures = candle_table(FUTURES, [SPOT_ROW[:7]]).to_pylist()[0]
    assert (futures["volume"], futures["quote_volume"]) == (10.0, 20.5)


def test_candles_have_one_schema_even_without_rows():
    empty = candle_table(SPOT, [])
    assert empty.schema == candle_table(FUTURES, [SPOT_ROW]).schema
    assert [str(field.type) for field in empty.schema] == ["timestamp[ms, tz=UTC]"] + ["double"] * 6


def test_candle_numbers_without_quotes_and_extra_places_are_taken():
    row = [1700000000000, 1, 4.5, "0.5", "2", "10", "20", "30", "extra"]
    assert candle_table(SPOT, [row, SPOT_ROW]).column("high").to_pylist() == [4.5, 4.0]


@pytest.mark.parametrize("bad", [None, "x", {}, 7, [], [None, *SPOT_ROW[1:]], ["", *SPOT_ROW[1:]],
                                 ["soon", *SPOT_ROW[1:]], ["1.5", *SPOT_ROW[1:]]], ids=repr)  # fmt: skip
def test_a_candle_without_a_time_has_none_and_leaves_the_others_alone(bad):
    table = candle_table(SPOT, [SPOT_ROW, bad])
    assert table.slice(0, 1) == candle_table(SPOT, [SPOT_ROW])
    assert table.column("open_time").to_pylist()[1] is None
    with pytest.raises(BadResponse, match=r"^spot\.candles: no candle has a time"):
        candle_table(SPOT, [bad])


@pytest.mark.parametrize("bad", ["", None, "x", "nan", ["1"], True, "\ud800"], ids=repr)
@pytest.mark.parametrize("place", [1, 4, 5, 7])
def test_a_number_that_cannot_be_read_is_missing_alone(bad, place):
    table = candle_table(SPOT, [SPOT_ROW, [*SPOT_ROW[:place], bad, *SPOT_ROW[place + 1 :]]])
    good, spoilt = table.to_pylist()
    assert [name for name in good if good[name] != spoilt[name]] == [
        {1: "open", 4: "close", 5: "volume", 7: "quote_volume"}[place]
    ]
    assert math.isnan(candle_table(SPOT, [SPOT_ROW[:3]]).to_pylist()[0]["low"])


def test_a_row_without_candles_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="has no candles"):
        candle_table(TABLE["spot.tickers"], [SPOT_ROW])


@given(st.lists(st.floats(1e-10, 1e10), min_size=1, max_size=30))
def test_candle_numbers_are_exact_to_the_last_bit(numbers):
    rows = [["1700000000000", *[repr(number)] * 7] for number in numbers]
    assert candle_table(SPOT, rows).column("close").to_pylist() == numbers
