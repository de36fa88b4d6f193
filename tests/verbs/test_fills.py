"""What a fill says of its position and its fees, as v2 and v3 tell it; and fills that an older version kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from bgresearch.account.kinds import FILLS
from bgresearch.account.kinds.fills import position_of
from bgresearch.store import Series, Store
from tests.conftest import Connect
from tests.verbs.rows import answer_row

V2 = {
    "tradeId": "1", "orderId": "2", "symbol": "BTCUSDT", "price": "60000", "baseVolume": "0.1", "quoteVolume": "6000",
    "profit": "0", "side": "buy", "tradeSide": "open", "posMode": "hedge_mode", "tradeScope": "taker",
    "cTime": "1760000000000",
}  # fmt: skip


def reported(mode: str, market: str, row: dict[str, Any]) -> dict[str, Any]:
    (route,) = FILLS.routes(mode, market)  # type: ignore[arg-type]
    return dict(route.shape(answer_row(row)))


def part(coin: str, fee: str) -> dict[str, str]:
    return {"feeCoin": coin, "totalFee": fee, "deduction": "no", "totalDeductionFee": ""}


@pytest.mark.parametrize(
    ("row", "position"),
    [
        ({"tradeSide": "open", "side": "buy", "posMode": "hedge_mode"}, "long"),
        ({"tradeSide": "close", "side": "buy", "posMode": "hedge_mode"}, "long"),  # the side of the position
        ({"tradeSide": "close", "side": "sell", "posMode": "hedge_mode"}, "short"),
        ({"tradeSide": "burst_close_short", "side": "buy", "posMode": "hedge_mode"}, "short"),
        ({"tradeSide": "dte_sys_adl_close_long", "side": "sell"}, "long"),
        ({"tradeSide": "open_short", "side": "sell"}, "short"),
        ({"tradeSide": "open", "side": "buy", "posMode": "one_way_mode"}, None),
        ({"tradeSide": "buy_single", "side": "buy", "posMode": "one_way_mode"}, None),
        ({"tradeSide": "reduce_sell_single", "side": "sell"}, None),
        ({"side": "sell"}, None),
    ],
)
def test_the_position_is_the_one_that_the_row_names(row: dict[str, str], position: str | None) -> None:
    assert position_of(answer_row(row)) == position


def test_parts_of_a_fee_in_one_coin_are_added_up_as_decimals() -> None:
    row = reported("classic", "usdt-futures", V2 | {"feeDetail": [part("USDT", "-0.1"), part("USDT", "-0.2")]})
    assert (row["fee"], row["fee_coin"], row["other_fees"]) == (0.3, "USDT", None)


def test_fees_in_further_coins_are_kept_as_they_were_sent() -> None:
    detail = [part("bgb", "-0.017118519726"), part("USDT", "-0.00000001"), part("USDC", "0")]
    row = reported("classic", "usdt-futures", V2 | {"feeDetail": detail})
    assert (row["fee"], row["fee_coin"], row["other_fees"]) == (0.017118519726, "BGB", "0.00000001 USDT")
    v3 = {"execId": "1", "orderId": "2", "symbol": "BTCUSDT", "side": "sell", "tradeSide": "close_long",
          "createdTime": "1760000000000", "execPrice": "1", "execQty": "1", "execValue": "1", "execPnl": "2",
          "feeDetail": [{"feeCoin": "USDT", "fee": "0.5"}, {"feeCoin": "BGB", "fee": "0.25"}]}  # fmt: skip
    row = reported("unified", "usdt-futures", v3)
    assert (row["fee"], row["other_fees"], row["position"], row["profit"]) == (0.5, "0.25 BGB", "long", 2.0)


def test_a_part_without_a_coin_is_no_fee_in_a_coin_without_a_name() -> None:
    for detail in ([part("", "")], [part("", "0")], []):
        row = reported("classic", "usdt-futures", V2 | {"feeDetail": detail})
        assert (row["fee"], row["fee_coin"], row["other_fees"]) == (None, None, None)
    row = reported("classic", "usdt-futures", V2 | {"feeDetail": [part("", ""), part("USDT", "-0.5")]})
    assert (row["fee"], row["fee_coin"], row["other_fees"]) == (0.5, "USDT", None)


def test_fills_that_an_older_version_kept_are_read_without_what_it_did_not_know(
    connect: Connect, tmp_path: Path
) -> None:
    client = connect(key="readonly")
    now = pd.Timestamp("2026-11-20 09:00:30", tz="UTC")
    before = client.account.fills(now - pd.Timedelta(days=2), now, market="usdt-futures")
    files = sorted((tmp_path / "data").rglob("fills/**/*.parquet"))
    assert files
    assert before["position"].notna().all()
    (folder,) = {path.parent for path in files}
    uid, market = folder.parts[-3], folder.name.partition("=")[2]
    store = Store(tmp_path / "data")
    series = Series(f"account/{uid}/fills", (("market", market),), "time", private=True, unique=("fill_id",))
    (span,) = store.known(series)
    kept = store.read(series, span)
    old = (
        pq.read_table(files[0], partitioning=None)
        .replace_schema_metadata(None)
        .drop_columns(["position", "other_fees"])
    )
    store.write(series, old, [span])
    again = client.account.fills(now - pd.Timedelta(days=2), now - pd.Timedelta(hours=1), market="usdt-futures")
    assert list(again.columns) == list(before.columns)
    assert again["fill_id"].tolist() == before["fill_id"].tolist()[: len(again)]
    assert again["position"].isna().all()
    assert kept is not None
