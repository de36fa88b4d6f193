"""The source that rooms below the client are given."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bgresearch.client.client import Client
from bgresearch.session.session import Session

SourceOf = Callable[[Client], Session]


@pytest.fixture
def source_of() -> SourceOf:
    """What the client hands its verbs."""
    return lambda client: client._source
