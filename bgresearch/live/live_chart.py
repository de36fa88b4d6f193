"""A chart of a stream in a notebook, redrawn a few times a second, with a button that stops it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from bgresearch.core.intervals import MINUTE_MS
from bgresearch.errors import BgresearchError, ConfigurationError

if TYPE_CHECKING:
    from bgresearch.live.channels import Channel
    from bgresearch.schemas import Shape

REDRAW_S = 0.25  # at most four times a second
_LEVELS = 50
_HEIGHT = 420
_PRICES = ("open", "high", "low", "close")


class Drawable(Protocol):
    """What a chart needs of a stream."""

    channel: Channel
    shape: Shape

    @property
    def status(self) -> Any: ...
    def frame(self) -> pd.DataFrame: ...
    def open_bars(self) -> dict[str, Any]: ...
    def wait_until_stopped(self, wait_s: float) -> bool: ...
    def stop(self) -> None: ...


class LiveChart:
    """What `Stream.chart` returns: display it in a notebook; ``.figure()`` is the drawing of this moment.

    Parameters
    ----------
    stream : Stream
        What is drawn. Its button stops it.
    minutes : float
        How much time is shown.
    """

    def __init__(self, stream: Drawable, *, minutes: float) -> None:
        self._stream, self._span = stream, pd.Timedelta(minutes * MINUTE_MS, unit="ms")
        self._widget: Any = None
        self._thread: threading.Thread | None = None
        self.drawn = 0

    def figure(self) -> Any:
        """Return the drawing of this moment, a plotly figure.

        Raises
        ------
        ConfigurationError
            The extra for charts is missing.
        """
        try:
            import plotly.graph_objects as go  # noqa: PLC0415 - an extra
        except ImportError:
            raise ConfigurationError("charts need plotly.", hint="pip install 'bgresearch[charts]'") from None
        figure = go.Figure(self._traces(go))
        status = self._stream.status
        state = "live" if status.connected else "not connected"
        if status.waits_s:
            state += f" for {status.waits_s} s more (too many connections were opened)"
        title = f"{self._stream.channel.name}: {state}, {status.messages} messages, {status.gaps} gaps"
        figure.update_layout(title=title, height=_HEIGHT, xaxis_rangeslider_visible=False, uirevision="live")
        return figure

    def widget(self) -> Any:
        """Return the widget: the drawing, the state and a button; it is redrawn in a thread that ends with the stream.

        Raises
        ------
        ConfigurationError
            The extras for charts and forms are missing.
        """
        if self._widget is None:
            self._widget = self._made()
            self._thread = threading.Thread(target=self._redraw, name="bgresearch-live-chart", daemon=True)
            self._thread.start()
        return self._widget

    @property
    def is_drawing(self) -> bool:
        """Whether the widget is still redrawn."""
        return self._thread is not None and self._thread.is_alive()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.widget()._repr_mimebundle_(**options)

    def _made(self) -> Any:
        try:
            import ipywidgets  # noqa: PLC0415
            import plotly.graph_objects as go  # noqa: PLC0415

            self._drawing = go.FigureWidget(self.figure())
        except ImportError:
            raise ConfigurationError(
                "live charts need plotly and anywidget.", hint="pip install 'bgresearch[charts,forms]'"
            ) from None
        self._button = ipywidgets.Button(description="Stop", icon="stop", tooltip="Stop the stream")
        self._button.on_click(lambda _button: self._stream.stop())
        return ipywidgets.VBox([self._button, self._drawing])

    def _redraw(self) -> None:
        """Draw until the stream ends; a notebook that is gone takes nothing any more."""
        while not self._stream.wait_until_stopped(REDRAW_S):
            try:
                self.draw()
            except BgresearchError:
                break
        self.draw()
        self._button.disabled = True

    def draw(self) -> None:
        """Redraw the widget now."""
        fresh = self.figure()
        with self._drawing.batch_update():
            if len(fresh.data) == len(self._drawing.data):
                for shown, new in zip(self._drawing.data, fresh.data, strict=True):
                    shown.update(new.to_plotly_json(), overwrite=False)
            else:
                self._drawing.data = []
                self._drawing.add_traces(fresh.data)
            self._drawing.layout.title = fresh.layout.title
        self.drawn += 1

    def _traces(self, go: Any) -> list[Any]:
        kind = self._stream.channel.kind
        if kind == "book":
            return self._depths(go)
        frame = self._recent()
        if kind == "bars":
            return [
                go.Candlestick(x=part.index, **{name: part[name] for name in _PRICES}, name=str(symbol))
                for symbol, part in frame.groupby("symbol")
            ]
        price = next((name for name in ("price", "last") if name in frame), None)
        return [
            go.Scattergl(x=part["received_at"] if frame.index.name is None else part.index, y=part[price],
                         mode="lines+markers", name=str(symbol))
            for symbol, part in frame.groupby("symbol") if price
        ]  # fmt: skip

    def _depths(self, go: Any) -> list[Any]:
        found = []
        for symbol, book in self._stream.frame().groupby("symbol"):
            for side in ("bid", "ask"):
                levels = book[(book.side == side) & (book.level <= _LEVELS)]
                found.append(
                    go.Scatter(x=levels.price, y=levels.amount.cumsum(), line_shape="hv", fill="tozeroy",
                               name=f"{symbol} {side}")
                )  # fmt: skip
        return found

    def _recent(self) -> pd.DataFrame:
        """Return what is shown: the last minutes of rows, of candles with the one that is still forming."""
        frame = self._stream.frame()
        if self._stream.channel.kind == "bars" and (forming := self._stream.open_bars()):
            frame = pd.concat([frame, self._stream.shape.frame(self._stream.shape.table(forming.values()))])
        if not len(frame):
            return frame
        times = frame.index if frame.index.name else pd.DatetimeIndex(frame["received_at"])
        return frame[times >= times.max() - self._span]
