"""The other end of a widget's wire: notes what a kernel would send to the browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipywidgets import Widget


class Wire:
    """In the place of a comm."""

    comm_id = "wire"

    def __init__(self, *_: object, **__: object) -> None:
        self.sent: list[dict[str, Any]] = []

    def on_msg(self, callback: Callable[[Any], None]) -> None:
        """Take no messages: tests hand them to the widget."""

    def send(self, data: dict[str, Any], **_: object) -> None:
        self.sent.append(data)

    def close(self, *_: object, **__: object) -> None:
        """Nothing is open."""

    def taken(self) -> list[dict[str, Any]]:
        """What was sent since the last time."""
        sent, self.sent = self.sent, []
        return sent


def wired(widget: Widget) -> Wire:
    """Put a wire on a widget."""
    wire = Wire()
    widget.comm = wire
    return wire


def said(wire: Wire) -> list[dict[str, Any]]:
    """The custom messages that were sent since the last time."""
    return [one["content"] for one in wire.taken() if one["method"] == "custom"]


def hear(widget: Widget, message: object) -> None:
    """Hand a custom message of the browser to the widget."""
    widget._handle_custom_msg(message, [])
