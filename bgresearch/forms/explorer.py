"""The explorer: choose candles, see the cost, download, inspect and export them. Needs no key."""

from __future__ import annotations

import datetime as dt
import html
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import ipywidgets as widgets
import pandas as pd

from bgresearch.charts.chart import chart
from bgresearch.core.clock import LOOPBACK
from bgresearch.core.intervals import INTERVALS
from bgresearch.core.symbols import Named
from bgresearch.errors import BgresearchError, ConfigurationError, InvalidInput
from bgresearch.exports import export
from bgresearch.forms.background import Runner, in_thread
from bgresearch.forms.widgets import Form, Labelled, button, note, subheading, table, verdict
from bgresearch.market.candles.plan import Market, priced
from bgresearch.session.unknown_symbol import did_you_mean

if TYPE_CHECKING:
    from bgresearch.client.client import Client

_SHOWN_ROWS = 5  # at the beginning and at the end
_DAYS = 7  # the default span
_HEADING = "Explore candles"


class DownloadStopped(BgresearchError):
    """A download was stopped with the form's button."""


class Explorer(Form):
    """A form that ends in a DataFrame.

    Parameters
    ----------
    client : Client
        The client to download with.
    run : callable, optional
        Runs work in the background.
    folder : Path, optional
        Where files are saved; the notebook's folder by default.
    today : date, optional
        For tests.

    Attributes
    ----------
    frame : DataFrame or None
        What was downloaded last.
    """

    def __init__(
        self, client: Client, *, run: Runner = in_thread, folder: Path | None = None, today: dt.date | None = None
    ) -> None:
        super().__init__("Data explorer", broad=True, sandbox=client.host.startswith(LOOPBACK))
        self.frame: pd.DataFrame | None = None
        self._client, self._run, self._folder = client, run, folder or Path()
        self._stop = threading.Event()
        self.fields = _fields(today or client.now.date())
        self.price_button = button("Show the cost", self._price, main=True)
        self.load_button = button("Download", self._load, main=True)
        self.stop_button = button("Stop", self._stop.set)
        self.bar = widgets.IntProgress(description="Download", min=0, max=1)
        self.cost, self.result = widgets.VBox(), widgets.VBox()
        for name in ("market", "symbol", "interval", "start", "end"):
            self.fields[name].control.observe(self._changed, "value")
        self.fields["market"].control.observe(lambda _: self._run(self._list_symbols), "value")
        grid = widgets.HBox(tuple(self.fields.values()))
        grid.add_class("bg-grid")
        self.show(_HEADING, [grid, self.cost, self.result], [self.price_button], quiet=True)
        self._run(self._list_symbols)

    @property
    def asked(self) -> dict[str, Any]:
        """The choices, as arguments of ``client.candles``."""
        chosen = {name: "" if field.value is None else str(field.value).strip() for name, field in self.fields.items()}
        return {**chosen, "symbol": chosen["symbol"].upper(), "end": chosen["end"] or None}

    def _list_symbols(self) -> None:
        market = self.fields["market"].value
        try:
            if market == "spot":
                listed = self._client.api.spot.symbols()
            else:
                listed = self._client.api.futures.contracts(productType=market.upper())
        except BgresearchError:
            return  # a symbol can be typed without the list
        if market == self.fields["market"].value:
            self.fields["symbol"].control.options = sorted({*listed["symbol"].astype("str")})

    def _changed(self, _: object) -> None:
        self.cost.children, self.nav.children = (), (self.price_button,)
        self.price_button.add_class("mod-primary")

    def _price(self) -> None:
        if (plan := self._checked(lambda: self._client.plan(**self.asked))) is None:
            return
        cost = priced(plan)
        unknown = self._not_listed()
        doubt = (verdict("warn", unknown),) if unknown else ()
        self.cost.children = (subheading("Cost"), note(*cost), *doubt)
        self.nav.children = (self.load_button, self.price_button)
        self.price_button.remove_class("mod-primary")
        self.say(" ".join([*cost, unknown]).strip())

    def _not_listed(self) -> str:
        """Return a warning about a symbol that the exchange does not list now; empty if the list is missing."""
        listed, symbol = self.fields["symbol"].control.options, self.asked["symbol"]
        if not listed or symbol in listed:
            return ""
        meant = did_you_mean(Named(symbol, self.asked["market"]), listed)
        return f"{symbol} is not in the exchange's list for {self.asked['market']}. {meant}".strip()

    def _load(self) -> None:
        self._stop.clear()
        self.bar.value, self.result.children = 0, (self.bar,)
        self.nav.children = (self.stop_button,)
        self.say("Downloading.")
        self._run(self._fetch)

    def _fetch(self) -> None:
        try:
            frame = self._checked(lambda: self._client.candles(**self.asked, progress=self._progress))
        finally:
            self.nav.children = (self.load_button, self.price_button)
        if frame is None:
            return
        self.frame = frame
        self.result.children = (self._summary(frame), *self._pictures(frame), *self._export(frame))
        self.say(f"{len(frame)} candles were loaded.")

    def _progress(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise DownloadStopped("Stopped.", hint="Complete parts are kept: download again to fetch only the rest.")
        self.bar.max, self.bar.value = max(total, 1), done

    def _checked(self, ask: Callable[[], Any]) -> Any:
        """Return the result, or None with the reason shown next to the field that it belongs to."""
        for field in self.fields.values():
            field.problem("")
        try:
            return ask()
        except InvalidInput as error:
            named = self.fields.get(error.field.partition(",")[0], self.fields["symbol"])
            named.problem(str(error).removeprefix(f"{error.field}: "))
            self._refused(str(error))
        except BgresearchError as error:
            self._refused(str(error))
            self.result.children = (verdict("warn" if isinstance(error, DownloadStopped) else "bad", str(error)),)
        return None

    def _refused(self, reason: str) -> None:
        self.result.children = ()
        self.say(reason)

    def _summary(self, frame: pd.DataFrame) -> widgets.HTML:
        provenance = frame.attrs["bgresearch"]
        gaps = len(provenance["gaps"])
        missing = f"{gaps} spans have no candles at the exchange." if gaps else "No candle is missing."
        self.cost.children = (subheading("Cost"), note("Everything is in the local store now."))
        title = f"{len(frame):,} closed candles of {provenance['symbol']}, {provenance['interval']}"
        return verdict("good", title, missing)

    def _pictures(self, frame: pd.DataFrame) -> tuple[widgets.Widget, ...]:
        if frame.empty:
            return ()
        return (*_chart(frame), _quality(frame), _rows(frame))

    def _export(self, frame: pd.DataFrame) -> tuple[widgets.Widget, ...]:
        name = Labelled(
            widgets.Text(value=_file_name(frame), description="File name"),
            "Without extension; an existing file is not overwritten.",
        )
        said = note("")
        row = widgets.HBox(
            [
                button("Save as CSV", lambda: self._save(frame, name, ".csv", said)),
                button("Save as Parquet", lambda: self._save(frame, name, ".parquet", said)),
            ]
        )
        row.add_class("bg-nav")
        return subheading("Export"), name, row, said

    def _save(self, frame: pd.DataFrame, name: Labelled, ending: str, said: widgets.HTML) -> None:
        path = (self._folder / f"{name.value.strip()}{ending}").absolute()
        name.problem("")
        if path.exists():
            name.problem(f"{path.name} exists already. Choose another name.")
            return
        try:
            export(frame, path)
        except BgresearchError as error:
            name.problem(str(error))
        else:
            said.value = f"<p>Saved: {html.escape(str(path))}</p>"
            self.say(f"Saved as {path.name}.")


def _fields(today: dt.date) -> dict[str, Labelled]:
    start = today - dt.timedelta(days=_DAYS)
    return {
        "market": Labelled(widgets.Dropdown(options=get_args(Market), description="Market")),
        "symbol": Labelled(
            widgets.Combobox(value="BTCUSDT", description="Symbol", ensure_option=False), "Type a part of it to search."
        ),
        "interval": Labelled(widgets.Dropdown(options=list(INTERVALS), value="1h", description="Interval")),
        "start": Labelled(widgets.DatePicker(value=start, description="From"), "Midnight UTC."),
        "end": Labelled(
            widgets.DatePicker(value=today, description="To, not included"), "Midnight UTC. Empty means now."
        ),
    }  # fmt: skip


def _chart(frame: pd.DataFrame) -> tuple[widgets.Widget, ...]:
    try:
        return (chart(frame).widget(),)
    except ConfigurationError as error:  # plotly is an extra
        return (verdict("unknown", "No chart.", str(error)),)


def _quality(frame: pd.DataFrame) -> widgets.HTML:
    report = frame.bg.quality().frame()
    rows = [(html.escape(check), html.escape(result)) for check, result in report["words"].items()]
    return table("Quality of the candles", ["check", "found"], rows)


def _rows(frame: pd.DataFrame) -> widgets.HTML:
    cut = len(frame) > 2 * _SHOWN_ROWS
    shown = pd.concat([frame.head(_SHOWN_ROWS), frame.tail(_SHOWN_ROWS)]) if cut else frame
    rows = [
        [f"{when:%Y-%m-%d %H:%M}", *(f"{value:,.10g}" for value in values)]
        for when, values in zip(shown.index, shown.itertuples(index=False), strict=True)
    ]
    caption = f"The first and the last {_SHOWN_ROWS} of {len(frame):,} candles, UTC" if cut else "All candles, UTC"
    return table(caption, ["open_time", *map(str, frame.columns)], rows, wide=True, numbers=frame.shape[1])


def _file_name(frame: pd.DataFrame) -> str:
    provenance = frame.attrs["bgresearch"]
    days = (moment[:10] for moment in provenance["asked"])
    parts = (provenance["symbol"], provenance["market"], provenance["interval"], *days)
    return re.sub(r"[^\w.-]+", "-", "-".join(parts))
