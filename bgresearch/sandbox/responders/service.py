"""Answers about the exchange and the caller's own key: the clock, and who may do what."""

from __future__ import annotations

from typing import Any, cast

from bgresearch.sandbox.call import Call, Responder
from bgresearch.sandbox.traders.accounts import Account
from bgresearch.sandbox.traders.keys import SandboxKey

_CHANNEL = {"channelCode": "6258", "channel": "official"}


def server_time(call: Call) -> dict[str, str]:
    """Return the exchange's clock."""
    return {"serverTime": str(call.now_ms)}


def classic_key(call: Call) -> dict[str, Any]:
    """Return a classic key's owner, address list and v2 authorities."""
    key, account = _caller(call)
    owner = {**_owner(account, key), "parentId": 0}  # a JSON number here, and none is 0
    return {**owner, "authorities": list(key.authorities), "traderType": "not_trader"}


def unified_key(call: Call) -> dict[str, Any]:
    """Return a unified key's owner, address list, type and v3 permissions."""
    key, account = _caller(call)
    return {**_owner(account, key), "permType": key.perm_type, "permissions": list(key.authorities)}


def unified_settings(call: Call) -> dict[str, Any]:
    """Return a unified account's mode and settings; classic accounts never get here (40084)."""
    _, account = _caller(call)
    return {
        "uid": account.uid,
        "accountMode": "unified",
        "assetMode": "multi_assets",
        "accountLevel": "advanced",
        "holdMode": "one_way_mode",
        "stpMode": "none",
        "symbolConfigList": [
            {"category": "USDT-FUTURES", "symbol": symbol, "marginMode": "crossed", "leverage": "20"}
            for symbol in ("BTCUSDT", "ETHUSDT")
        ],
        "coinConfigList": [{"coin": "USDT", "leverage": "3"}],
    }


def _caller(call: Call) -> tuple[SandboxKey, Account]:
    return cast(SandboxKey, call.key), cast(Account, call.account)  # private rows always have both


def _owner(account: Account, key: SandboxKey) -> dict[str, Any]:
    return {
        "userId": account.uid,
        "inviterId": "",
        "parentId": "",
        **_CHANNEL,
        "ips": ",".join(key.addresses),
        "regisTime": str(account.registered_ms),
    }


SERVICE_RESPONDERS: dict[str, Responder] = {
    "common.time": server_time,
    "uta.market_time": server_time,
    "spot.account_info": classic_key,
    "uta.account_info": unified_key,
    "uta.account_settings": unified_settings,
}
