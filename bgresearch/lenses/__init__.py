"""What to look at data through: resampling, the equity curve, charts, the report page.

Plotly is an extra and is imported when a chart is asked for, never before. Nothing here asks the exchange.
"""
