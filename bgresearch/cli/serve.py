"""``bgresearch demo``, ``sandbox`` and ``lab``: everything that runs on the sandbox exchange."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Annotated

import typer

from bgresearch.cli.output import AsJson, need, print_result, table


def demo(
    page: Annotated[Path, typer.Option(metavar="FILE", help="Where the report page goes.")] = Path(
        "bgresearch-demo.html"
    ),
    notebook: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The notebook to execute at the end.", show_default="the quickstart"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the main job on the sandbox exchange, offline, from a key to a chart; clean up afterwards."""
    need("rich", "uvicorn", "plotly", "nbclient", "ipykernel", extras="demo")
    from rich.console import Console

    from bgresearch.cli.demo import NOTEBOOK, Demo
    from bgresearch.core.version import clone

    try:
        figures = Demo(Console(stderr=as_json, highlight=False)).run(page, notebook or NOTEBOOK)
    except KeyboardInterrupt:
        typer.echo("\nStopped; the vault, the data and the exchange are removed.", err=True)
        raise typer.Exit(128 + signal.SIGINT) from None
    here = clone()
    lab_command = "make lab" if here and here == Path.cwd() else "bgresearch lab"
    print_result(figures, as_json, lambda: f"\nNext: {lab_command}    (opens the notebooks on such an exchange)")


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="Loopback port; 0 takes a free one.")] = 0,
    speed: Annotated[
        float, typer.Option(min=0.01, max=100_000, metavar="N", help="Seconds of its markets in a second.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Serve the sandbox exchange on a loopback port until Ctrl-C. Its data is synthetic, its keys have no value."""
    need("uvicorn", "websockets", extras="sandbox")
    from bgresearch.sandbox import Exchange
    from bgresearch.sandbox.server import serve_forever

    exchange = Exchange(speed=speed)
    try:
        serve_forever(port, exchange=exchange, on_ready=lambda url: typer.echo(_announcement(url, as_json)))
    except KeyboardInterrupt:
        typer.echo("Stopped.", err=True)


def lab(
    folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where the notebooks are.", show_default="notebooks, copied if not there"),
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, metavar="N", help="Port of JupyterLab; the next free one if taken.")
    ] = 8888,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
) -> None:
    """Open JupyterLab on the sandbox exchange, offline; its data folder is removed afterwards."""
    need("uvicorn", "jupyterlab", extras="lab")
    from bgresearch.cli.lab import folder_of_notebooks, open_lab

    try:
        status = open_lab(folder_of_notebooks(folder, typer.echo), port=port, browser=browser, say=typer.echo)
    except KeyboardInterrupt:
        status = 0
    raise typer.Exit(status)


def _announcement(url: str, as_json: bool) -> str:
    from bgresearch.sandbox import SANDBOX_KEYS

    keys = [
        {"name": key.name, "api_key": key.api_key, "secret_key": key.secret_key, "passphrase": key.passphrase}
        for key in SANDBOX_KEYS.values()
    ]
    if as_json:
        streams = url.replace("http:", "ws:", 1)
        return json.dumps({"url": url, "ws_url": streams, "archive_url": f"{url}/online", "keys": keys})
    use = f"Use it: BGRESEARCH_BASE_URL={url}, or bg.connect(base_url={url!r})"
    return f"The sandbox exchange answers at {url} (Ctrl-C ends it).\n{use}\nIts keys (without value):\n\n{table(keys)}"
