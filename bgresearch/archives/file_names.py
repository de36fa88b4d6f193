"""What a file that was downloaded by hand holds, by its name and the folders above it. Pure."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from urllib.parse import unquote

from bgresearch.archives.archive_file import ArchiveFile, Data, api_symbol

_S, _D, _M = r"(?P<symbol>[^/_]+(?:_CM)?)", r"(?P<day>\d{8})", r"(?P<month>\d{6})"
_SAME, _END = r"(?:(?P=symbol)_)?", r"\.(?:zip|csv|xlsx)"
_LINES = r"(?P<line>SP|UMCBL)"
_TOKEN = r"(?P<line>SPBL|UMCBL|DMCBL|CMCBL)"  # noqa: S105 - a word in a path
_SIDE = r"(?P<line>[12])"
_PART = r"_(?P<part>\d{3})"
_PATTERNS: tuple[tuple[Data, str], ...] = (
    ("klines", rf"kline(?:_month)?/{_S}/{_LINES}/(?:(?P=symbol)_(?P=line)_1min_)?(?:{_D}|{_M}){_END}"),
    ("klines", rf"{_S}_{_LINES}_1min_(?:{_D}|{_M}){_END}"),
    ("trades", rf"trades(?:_month)?/{_TOKEN}/{_S}/{_SAME}(?:(?P=line)_)?(?:{_D}{_PART}|{_M}){_END}"),
    ("trades", rf"{_S}_{_TOKEN}_(?:{_D}{_PART}|{_M}){_END}"),
    ("quotes", rf"depth(?:_month)?/{_S}/{_SIDE}/(?:(?P=symbol)_[13]_)?(?:{_D}|{_M}){_END}"),
    ("books", rf"depth_500(?:_month)?/{_S}/{_SIDE}/(?:(?P=symbol)_[13]_)?(?:{_D}|{_M}){_END}"),
)
_NAMES = tuple((data, re.compile(rf"(?:.*/)?{pattern}", re.ASCII | re.IGNORECASE)) for data, pattern in _PATTERNS)
_LINE_OF = {"SP": "spot", "SPBL": "spot", "1": "spot", "DMCBL": "coin-futures", "CMCBL": "usdc-futures"}


def file_of(path: Path) -> ArchiveFile | None:
    """Return what a file holds by its path, None if the path does not say it all.

    Names of 2024 to 2026 are a date alone; they say enough only below the archive's own folders
    (``kline/BTCUSDT/SP/20250101.zip``).
    """
    text = unquote(path.as_posix())
    for data, pattern in _NAMES:
        if found := pattern.fullmatch(text):
            return _file(data, found)
    return None


def _file(data: Data, found: re.Match[str]) -> ArchiveFile | None:
    words = found.groupdict()
    text = words["day"] or f"{words['month']}01"
    try:
        day = dt.datetime.strptime(text, "%Y%m%d").replace(tzinfo=dt.UTC).date()
    except ValueError:
        return None
    name = words["symbol"].upper()  # some disks change the case of names
    market = _LINE_OF.get(words["line"].upper()) or _futures_market(name, trades=data == "trades")
    part = int(words.get("part") or 0)
    return ArchiveFile(market, api_symbol(name, market, day), data, day, "day" if words["day"] else "month", part)


def _futures_market(name: str, *, trades: bool) -> str:
    """Return the market of a contract: folders of trades name it, elsewhere the contract's name shows it."""
    if trades or name.endswith("USDT"):
        return "usdt-futures"
    if name.endswith(("PERP", "USDC")):
        return "usdc-futures"
    return "coin-futures" if re.search(r"USD(\d{4}|[HMUZ]\d\d|_?CM)?$|CM$", name) else "usdt-futures"
