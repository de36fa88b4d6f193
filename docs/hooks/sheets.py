"""The notebooks as pages to read: text, code, and the pictures that are kept in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

_MENTIONED = re.compile(r"(?<!\[)`(?:docs/([\w-]+\.md)|(\w+\.ipynb))`(?!\])")
_HINT = '!!! tip "Run it"\n\n    `bgresearch lab` (`make lab` in a clone) opens `{name}` on the sandbox.\n\n'


def pages(folder: Path) -> Iterator[tuple[str, str | bytes]]:
    """Yield a page for each notebook, and its pictures."""
    exporter = MarkdownExporter()
    for file in sorted(folder.glob("*.ipynb")):
        text, resources = exporter.from_notebook_node(
            nbformat.read(file, as_version=4), {"output_files_dir": f"{file.stem}_files"}
        )
        title, _, rest = text.lstrip().partition("\n")
        yield f"notebooks/{file.stem}.md", f"{title}\n\n{_HINT.format(name=file.name)}{_MENTIONED.sub(_led, rest)}"
        for name, picture in resources.get("outputs", {}).items():
            yield f"notebooks/{name}", picture


def _led(match: re.Match[str]) -> str:
    return f"[{match[0]}]({f'../docs/{match[1]}' if match[1] else match[2]})"
