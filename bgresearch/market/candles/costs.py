"""What a plan costs, in plain sentences: said before anything is downloaded."""

from __future__ import annotations

from bgresearch.market.candles.plan import Plan

STORED = "Everything is in the local store already: no request is needed."


def priced(plan: Plan) -> tuple[str, ...]:
    """Return what a plan costs: candles that are missing, requests by road, seconds by the exchange's limits."""
    if not plan.pages:
        return (STORED,)
    requests = sum(plan.requests.values())
    roads = ", ".join(f"{count:,} to {row}" for row, count in plan.requests.items())
    seconds = "less than a second" if plan.seconds < 1 else f"about {plan.seconds:,.0f} s"
    return (
        f"{plan.rows:,} candles are missing in the local store.",
        f"{requests:,} request{'s' if requests != 1 else ''} ({roads}): {seconds} by the exchange's limits.",
    )
