"""A wrapper for a secret value, so that no repr, traceback, pickle or copy shows it.

Frames of this package that might raise hold secrets only inside this wrapper: tools that print a traceback's local
variables then print ``<hidden>``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Generic, NoReturn, ParamSpec, SupportsIndex, TypeVar

from vault.errors import NotCopyable

Value = TypeVar("Value")
Given = ParamSpec("Given")


def without_frames(function: Callable[Given, Value]) -> Callable[Given, Value]:
    """Return the function such that nothing raised in it, Ctrl-C or a full stack included, shows frames from inside.

    For functions that unwrap secrets; their arguments must be wrapped.
    """

    @functools.wraps(function)
    def call(*given: Given.args, **named: Given.kwargs) -> Value:
        try:
            return function(*given, **named)
        except BaseException as error:  # noqa: BLE001 - every one of them is raised again below
            bare = error
        bare.__cause__ = bare.__context__ = None
        try:
            raise bare.with_traceback(None)
        finally:
            del bare  # else error and frame would hold each other

    return call


class NoCopies:
    """Refuses every way in which Python copies or serialises an object; ``copy`` uses the same hooks as ``pickle``."""

    __slots__ = ()

    def _refuse_copy(self) -> NoReturn:
        raise NotCopyable(
            f"{type(self).__name__} holds secrets and can be neither pickled nor copied; "
            "pass the key's name on and open the vault where it is needed"
        )

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        self._refuse_copy()

    def __reduce__(self) -> NoReturn:
        self._refuse_copy()

    def __getstate__(self) -> NoReturn:
        self._refuse_copy()


class Hidden(NoCopies, Generic[Value]):
    """A value that is there to be used, not to be seen.

    Parameters
    ----------
    value
        The secret. Take it out with ``.value`` only inside an expression, never into a local variable of a
        function that may raise.
    """

    __slots__ = ("__held",)

    def __init__(self, value: Value) -> None:
        self.__held = value

    @property
    def value(self) -> Value:  # a property, since verbose tracebacks evaluate plain attributes on the lines they show
        return self.__held

    def __repr__(self) -> str:
        return "<hidden>"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __dir__(self) -> list[str]:
        return []  # inspectors of variables evaluate what is listed here
