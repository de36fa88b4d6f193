"""Fields that are typed in the browser and sealed there for the agent. The kernel relays ciphertext.

Nothing that is typed ever gets here: the box and the agent's sealed reply are custom messages of the widget, which
are in no trait, and so in no saved notebook; its traits hold only labels and messages for the user.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any, Literal, get_args

import anywidget
import traitlets

from bgresearch.agent.error_codec import REFUSALS
from bgresearch.errors import InvalidInput

Kind = Literal["key", "passphrase", "password", "code", "pem"]
Box = Mapping[str, Any]
Answer = Mapping[str, Any]

STRENGTH = "strength"
FORM = ""  # a problem of the whole form, not of one field
_PARTS = ("sealing.js", "pasted.js", "typed.js", "sealed.js")  # joined in this order to one module


def _package_text(*names: str) -> str:
    here = resources.files(__package__)
    return "\n".join(here.joinpath(name).read_text(encoding="utf-8") for name in names)


@dataclass(frozen=True, slots=True)
class SealedField:
    """One field of a sealed form.

    Attributes
    ----------
    name : str
        As the agent's offer names it.
    label : str
        The text above it. A ``#`` in it becomes the number that the offer asks for: "Group #".
    kind : str
        ``key`` (no spaces at all), ``passphrase`` (none around it), ``password`` (anything), ``code`` (a recovery code
        or a group of it) or ``pem`` (several lines).
    help : str
        A sentence beneath it.
    is_new : bool
        Typed twice, and compared in the browser.
    """

    name: str
    label: str
    kind: Kind = "key"
    help: str = ""
    is_new: bool = False

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or not self.label.strip():
            raise InvalidInput("field", f"{self.name!r} needs a name such as 'api_key' and a label.")
        if self.kind not in get_args(Kind):
            raise InvalidInput("kind", f"{self.kind!r} is not one of {', '.join(get_args(Kind))}.")


class SealedInput(anywidget.AnyWidget):
    """A form whose texts leave the browser only sealed for the agent.

    Parameters
    ----------
    fields : sequence of Field
        Top to bottom; their names are those of the offer.
    offer : callable
        Given a purpose, returns what `Agent.offer` does. Called for every box, as an offer can be used once.
    purpose : str
        What the box is for: ``unlock``, ``create``, ``key`` and so on.
    submit : str
        The text on the button.
    terminal : str
        The command that does the same, shown where a browser cannot seal.
    strength : callable, optional
        Given a sealed box of the first field, the agent's answer ``{"score": 0-4, "words": [...]}``: shows a meter.

    Attributes
    ----------
    status : str
        The message below the button, read out by screen readers; kept when the page is loaded again.
    disabled : bool
        Whether it accepts no input at the moment.

    Examples
    --------
    >>> form = SealedInput([Field("password", "Master password", "password")], offer=agent.offer)   # doctest: +SKIP
    >>> form.on_box(lambda box: agent.unlock(box))                                                  # doctest: +SKIP
    """

    _esm = _package_text(*_PARTS)
    _css = _package_text("sealed.css")

    _fields: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _purpose = traitlets.Unicode().tag(sync=True)
    _has_meter = traitlets.Bool().tag(sync=True)
    submit = traitlets.Unicode("Seal").tag(sync=True)
    terminal = traitlets.Unicode().tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(
        self, fields: Sequence[SealedField], *, offer: Callable[[str], Answer], purpose: str = "unlock",
        submit: str = "Seal", terminal: str = "bgresearch vault unlock",
        strength: Callable[[Box], Answer] | None = None,
    ) -> None:  # fmt: skip
        if not fields or len({field.name for field in fields}) != len(fields):
            raise InvalidInput("fields", "give at least one, each with a name of its own.")
        super().__init__(
            _fields=[asdict(field) for field in fields], _purpose=purpose, _has_meter=strength is not None,
            submit=submit, terminal=terminal,
        )  # fmt: skip
        self._offer, self._strength = offer, strength
        self._callbacks: list[Callable[[Box], object]] = []
        self._forgotten: list[Callable[[], object]] = []
        self._sealed_in = ""  # the view that sent the last box: it alone can open a reply
        self.on_msg(self._heard)

    def on_box(self, callback: Callable[[Box], object]) -> None:
        """Call this with every sealed box; an error of the agent or vault that it raises is shown in the form."""
        self._callbacks.append(callback)

    def on_forgotten(self, callback: Callable[[], object]) -> None:
        """Call this when the user has hidden a shown reply."""
        self._forgotten.append(callback)

    def show_problem(self, field: str, words: str) -> None:
        """Show what is wrong with a field next to it, or with ``field=""`` a problem of the whole form."""
        if field != FORM and field not in {one["name"] for one in self._fields}:
            raise InvalidInput("field", f"{field!r} is not a field of this form.")
        self.send({"kind": "problem", "field": field, "words": words})

    def clear(self) -> None:
        """Empty the fields, wherever the form is shown, and hide the reply."""
        self.send({"kind": "clear"})

    def show_reply(self, box: Box) -> None:
        """Have the browser that sealed the last box open the agent's sealed reply and show it until it is hidden."""
        self.send({"kind": "reply", "view": self._sealed_in, "box": dict(box)})

    def _heard(self, _: object, message: object, __: object) -> None:
        if not isinstance(message, dict):
            return
        kind, view, purpose = (str(message.get(name)) for name in ("kind", "view", "purpose"))
        purposes = {self._purpose, STRENGTH} if self._strength else {self._purpose}
        if kind == "ask" and purpose in purposes:
            self._send_offer(view, purpose, message.get("number"))
        elif kind == "box" and purpose == self._purpose and isinstance(message.get("box"), dict):
            self._take(view, message["box"])
        elif kind == "box" and purpose == STRENGTH and self._strength and isinstance(message.get("box"), dict):
            with contextlib.suppress(*REFUSALS):  # the meter is optional; without it a password is accepted as well
                answer = self._strength(message["box"])
                score = {"score": int(answer["score"]), "words": [str(sentence) for sentence in answer["words"]]}
                self.send({"kind": "strength", "view": view, "number": message.get("number"), **score})
        elif kind == "forgotten":
            for callback in self._forgotten:
                callback()

    def _send_offer(self, view: str, purpose: str, number: object) -> None:
        with self._refusals_shown(view, number):
            answer = self._offer(purpose)
            reply = {"offer": dict(answer["offer"]), "asked": list(answer.get("asked", ()))}
            self.send({"kind": "offer", "view": view, "purpose": purpose, "number": number, **reply})

    def _take(self, view: str, box: Box) -> None:
        self._sealed_in = view
        try:
            with self._refusals_shown(view):
                for callback in self._callbacks:
                    callback(box)
        finally:
            self.send({"kind": "taken", "view": view})

    @contextlib.contextmanager
    def _refusals_shown(self, view: str, number: object = None) -> Iterator[None]:
        """Show errors of the agent or the vault as the form's problem; any other error is a bug and is raised."""
        try:
            yield
        except REFUSALS as refusal:
            self.send({"kind": "problem", "view": view, "number": number, "field": FORM, "words": str(refusal)})
