"""What to look at data through: ``df.bg``, resampling, quality, the equity curve, charts, the report page.

Plotly is an extra and is imported when a chart is asked for, never before. Nothing here asks the exchange. Importing
this registers the accessor ``df.bg``.
"""

from __future__ import annotations

from bgresearch.accessor import Accessor

__all__ = ["Accessor"]
