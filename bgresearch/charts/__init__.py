"""Charts of candles and other frames: in a notebook, as one HTML page, as an image. Plotly is an extra."""
