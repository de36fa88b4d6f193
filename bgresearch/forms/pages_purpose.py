"""The wizard's first pages: what to know first, what the key is for, its addresses. Nothing here is secret."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import ipywidgets as widgets

from bgresearch.forms.widgets import FormPage, Labelled, button, code, listed, note, subheading, table, verdict
from bgresearch.keys.onboarding import ip_whitelist as addresses
from bgresearch.keys.onboarding import messages, purposes
from bgresearch.keys.onboarding.ip_whitelist import check_addresses
from bgresearch.keys.onboarding.purposes import PURPOSES, Mode, Purpose

if TYPE_CHECKING:
    from bgresearch.forms.navigator import Navigator

MARKET_LINES = 'import bgresearch as bg\nbg.connect().candles("BTCUSDT", "1h", "2026-01-01", "2026-02-01")'
_LATER = "This is what the key will need; you make it in step 5, where the boxes are listed again."
_NOTHING_CHOSEN = "Choose at least one."
_DEMO_ALONE = "A demo key is a key of its own, made in demo mode: choose the demo environment alone, or leave it out."
_MODES: dict[str, tuple[Mode, ...]] = {
    "I do not know": ("unified", "classic"),
    "Unified": ("unified",),
    "Classic": ("classic",),
}


class Before(FormPage):
    """What to know before starting."""

    def __init__(self, wizard: Navigator) -> None:
        self.body = (listed(messages.BEFORE), note(messages.QUICK_HELP))
        self.buttons = (
            button(messages.QUICK, lambda: wizard.forward(step="purpose", purposes=purposes.COMMON), main=True),
            button(messages.BEGIN, wizard.forward),
        )


class Purposes(FormPage):
    """The purposes of the key, and the boxes to tick for them; market data alone needs no key."""

    def __init__(self, wizard: Navigator) -> None:
        self._wizard = wizard
        chosen = wizard.progress.purposes or purposes.COMMON
        self.choices = {
            one.name: widgets.Checkbox(value=one.name in chosen, description=f"{one.title}: {one.words}", indent=False)
            for one in PURPOSES.values()
        }
        self.mode = Labelled(
            widgets.RadioButtons(options=list(_MODES), description=messages.MODE_QUESTION), purposes.WHICH_MODE
        )
        self.instructions, self.problem = widgets.VBox(), widgets.VBox()
        for box in (*self.choices.values(), self.mode.control):
            box.observe(lambda _: self._show_instructions(), "value")
        self.body = (*self.choices.values(), self.problem, self.mode, self.instructions)
        self.buttons = (button(messages.NEXT, self._next, main=True),)
        self._show_instructions()

    @property
    def wanted(self) -> tuple[Purpose, ...]:
        """What is ticked."""
        return tuple(PURPOSES[name] for name, box in self.choices.items() if box.value)

    def _show_instructions(self) -> None:
        """Show what to tick on the exchange's page for what is ticked here."""
        self.problem.children = ()
        needs_key = purposes.needs_key(self.wanted)
        self.mode.layout.display = None if needs_key else "none"
        if not needs_key:
            self.instructions.children = ()
            return
        modes = [mode for mode in _MODES[self.mode.value] if any(mode in one.modes for one in self.wanted)]
        steps = (part for mode in modes for part in _steps(self.wanted, mode))
        self.instructions.children = (note(_LATER), *steps)
        self._wizard.say("The boxes to tick on the exchange's page are listed below.")

    def _next(self) -> None:
        wanted = self.wanted
        demo = [one for one in wanted if one.demo]
        if not wanted or (demo and any(one.needs_key and not one.demo for one in wanted)):
            self._refuse(_DEMO_ALONE if wanted else _NOTHING_CHOSEN)
        elif not purposes.needs_key(wanted):
            self.body = (verdict("good", "You need no key.", purposes.NO_KEY), subheading("Two lines of Python"),
                         code(MARKET_LINES))  # fmt: skip
            self.buttons = ()
            self._wizard.refresh()
        else:
            self._wizard.forward(purposes=tuple(one.name for one in wanted))

    def _refuse(self, why: str) -> None:
        self.problem.children = (verdict("bad", why),)
        self._wizard.say(why)


class Addresses(FormPage):
    """Which addresses go into the key's list at the exchange."""

    def __init__(self, wizard: Navigator) -> None:
        self._wizard = wizard
        self.typed = Labelled(
            widgets.Textarea(value="\n".join(wizard.progress.addresses), description=messages.ADDRESS_QUESTION),
            "IPv4 or IPv6, single or a range such as 8.8.8.0/28; one on each line. Empty: no list.",
        )
        self.cautions = widgets.VBox()
        self.typed.control.observe(lambda _: self._forget(), "value")
        self.body = (note(addresses.WHY, addresses.CHANGES, addresses.FIND_OUT), self.typed, self.cautions)
        self.buttons = (button(messages.NEXT, self._next, main=True),)
        self._accepted: str | None = None

    def _forget(self) -> None:
        self.typed.problem("")
        self.cautions.children = ()

    def _next(self) -> None:
        """Go on if the addresses can be listed; cautions are shown once first."""
        found = check_addresses(self.typed.value)
        if bad := [one.words for one in found if not one.is_good]:
            self.typed.problem(" ".join(bad))
            self._wizard.say(" ".join(bad))
            return
        cautions = [one.words for one in found if one.words] if found else [messages.ADDRESS_NONE]
        if cautions and self._accepted != self.typed.value:
            self._accepted = self.typed.value
            self.cautions.children = (
                verdict("warn", "Continue anyway?", *cautions, "Press Next again, or change it."),
            )
            self._wizard.say(" ".join(cautions))
            return
        self._wizard.forward(addresses=tuple(one.text for one in found))


def _steps(wanted: tuple[Purpose, ...], mode: Mode) -> tuple[widgets.Widget, ...]:
    """Return what to do on the exchange's page, and the boxes to tick as a table."""
    boxes = purposes.boxes(wanted, mode)
    steps = purposes.instructions(wanted, mode)[: -len(boxes)]
    rows = [[html.escape(box.words), html.escape(box.reach)] for box in boxes]
    ticks = table(f"Boxes to tick, {mode} account", ["Box", "What can be read with it"], rows)
    return subheading(f"On the exchange's page, for a {mode} account"), listed(steps, ordered=True), ticks
