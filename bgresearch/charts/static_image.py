"""A chart as an image for print: PNG, SVG or PDF, rendered by an installed Chromium without network access."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bgresearch.charts.downsampling import whole
from bgresearch.charts.figure import Drawn
from bgresearch.errors import ConfigurationError, InvalidInput
from bgresearch.exports.output_path import checked_place, written

_KINDS = (".png", ".svg", ".pdf")
_PIXELS_A_BAR = 4  # narrower candles run into each other on paper
_PNG_SCALE = 3  # 1000 pixels of layout are 3000 of the picture: 300 dpi at 25 cm


def picture(
    chart: Drawn, path: Path, *, width: int = 1000, height: int = 600, theme: str = "print", force: bool = False
) -> Path:  # fmt: skip
    """Write an image of a chart's whole span and return its absolute path.

    Parameters
    ----------
    chart : Drawn
        The result of `bgresearch.charts.chart.chart`.
    path : Path
        Ending in .png, .svg or .pdf.
    width, height : int
        Size of the layout in pixels; a PNG has three times as many.
    theme : {"print", "light", "dark"}
        ``print``: white background, black lines, rising candles hollow.
    force : bool
        Whether an existing file may be replaced.

    Raises
    ------
    InvalidInput
        An unknown suffix, or a size that is too small.
    StoreError
        The file exists and ``force`` is not set, or the folder is not writable. Nothing was changed.
    ConfigurationError
        Kaleido or a browser is not installed.

    Notes
    -----
    The file is written atomically.
    """
    kind = path.suffix.lower()
    if kind not in _KINDS:
        raise InvalidInput("path", f"{path.name} is not an image file.", hint=f"End it with {', '.join(_KINDS)}.")
    if min(width, height) < 200:
        raise InvalidInput("width, height", f"{width} by {height} is too small to read.", hint="Give 200 or more.")
    place = checked_place(path, force=force)
    bars = max(50, min(chart.max_bars, (width - 100) // _PIXELS_A_BAR))
    drawing = chart.drawing
    level = whole(drawing.levels, max_bars=bars)
    figure = drawing.figure("print" if theme == "auto" else theme, level, height=height)
    figure.update_xaxes(rangeselector_visible=False)
    figure.update_layout(width=width, margin_b=64, font_size=14, font_family="DejaVu Sans, Arial, sans-serif")
    return written(place, rendered(figure, kind.removeprefix("."), width, height), force=force)


def rendered(figure: Any, kind: str, width: int, height: int) -> bytes:
    """Return a figure as the bytes of an image.

    Raises
    ------
    ConfigurationError
        Kaleido or a browser is not installed.
    """
    try:
        import kaleido
        from kaleido import errors
    except ImportError:
        hint = "Install it: pip install 'bgresearch[pictures]'."
        raise ConfigurationError("Images need kaleido.", hint=hint) from None
    options = {"format": kind, "width": width, "height": height, "scale": _PNG_SCALE if kind == "png" else 1}
    try:  # without mathjax, which would be loaded from the network
        data: bytes = kaleido.calc_fig_sync(figure, opts=options, kopts={"mathjax": False})
    except errors.ChromeNotFoundError:
        hint = "Install one, for example: apt-get install chromium; or name it in BROWSER_PATH."
        raise ConfigurationError("Images need Chromium or Chrome.", hint=hint) from None
    except (
        errors.BrowserFailedError, errors.BrowserClosedError, errors.JavascriptError, errors.KaleidoError, TimeoutError,
    ) as error:  # fmt: skip
        hint = "Check that Chromium starts: chromium --headless --version."
        raise ConfigurationError(f"The browser returned no image: {type(error).__name__}.", hint=hint) from error
    return data
