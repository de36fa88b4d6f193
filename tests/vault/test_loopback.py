from __future__ import annotations

from typing import Any

import pytest

from vault import HostNotAllowed, InvalidField, loopback_credential


@pytest.mark.parametrize("host", ["http://127.0.0.1:9000", "http://localhost", "http://[::1]:8000"])
def test_a_throw_away_credential_signs_for_this_machine(triple: dict[str, str], host: str) -> None:
    credential = loopback_credential("sandbox", **triple, host=host, demo=True, now_ms=lambda: 1_700_000_000_123)
    assert (credential.name, credential.host, credential.demo) == ("sandbox", host, True)
    headers = credential.headers("GET", "/api/v2/spot/account/info")
    assert (headers["ACCESS-KEY"], headers["ACCESS-TIMESTAMP"]) == (triple["api_key"], "1700000000123")
    assert not any(text in repr(credential) for text in triple.values())


@pytest.mark.parametrize("host", ["https://api.bitget.com", "https://api.bitget.com/", "http://10.0.0.1", "", None])
def test_a_throw_away_credential_is_for_no_other_host(triple: dict[str, str], host: Any) -> None:
    with pytest.raises(HostNotAllowed):
        loopback_credential("sandbox", **triple, host=host)


def test_a_throw_away_credential_has_checked_fields(triple: dict[str, str]) -> None:
    for change in ({"api_key": " k"}, {"secret_key": ""}, {"demo": 1}):
        with pytest.raises(InvalidField):
            loopback_credential("sandbox", **{**triple, "host": "http://localhost", **change})  # type: ignore[arg-type]
