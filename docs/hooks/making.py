"""Pages that are not files in docs/: they are made from the table, the code, the notebooks and files next to docs/.

`mkdocs.yml` names this file as a hook. Nothing here writes into docs/, and pages need not be listed: a new page,
notebook, module or row of the table is on the site by itself.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import endpoints
import reference
import sheets
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
BORROWED = {
    "README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md", "LICENSE": "license.md", "benchmarks/README.md": "benchmarks.md",
}  # fmt: skip
"""Files of the repository that are pages of the site, and what they are called there."""

_ABOVE = {"index.md": "---\nhide: [navigation]\n---\n\n", "license.md": "# Licence\n\n"}
_PLACES = {place: source for source, place in BORROWED.items()}
_FENCED = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]*)(#[^)\s]*)?\)(\{[^}\n]*\})?")
_PICTURE = re.compile(r'<picture>.*?<img alt="([^"]*)" src="([^"]*)"(?: width="(\d+)")?>.*?</picture>', re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made, and write out the asterisks of the navigation."""
    for place, text in made():
        files.append(File.generated(config, place, content=text))
    mentioned = set(named(config.nav))
    config.nav = written_out(
        config.nav, [file.src_uri for file in files.documentation_pages() if file.src_uri not in mentioned]
    )
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page's text with links and pictures as the site has them; code is left alone."""
    source = page.file.src_uri
    parts = _FENCED.split(markdown)
    return "".join(part if index % 2 else fitted(part, source, files) for index, part in enumerate(parts))


def on_post_page(output: str, **_: Any) -> str:
    """Return a page whose search has a name, for who hears it."""
    return output.replace(
        'data-md-component="search" role="dialog"', 'data-md-component="search" role="dialog" aria-label="Search"'
    )


def on_post_build(config: MkDocsConfig) -> None:
    """Write the search index as a script as well, which pages that are opened from a folder may read."""
    index = Path(config.site_dir) / "search" / "search_index.json"
    index.with_suffix(".js").write_text(f"var __index = {index.read_text(encoding='utf-8')}", encoding="utf-8")


def made() -> Iterator[tuple[str, str | bytes]]:
    """Yield every page and picture that is made: its place on the site and what is in it."""
    for source, place in BORROWED.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        yield place, _ABOVE.get(place, "") + text
    yield from sheets.pages(ROOT / "notebooks")
    yield from endpoints.pages()
    yield from reference.pages()


def named(nav: Any) -> Iterator[str]:
    """Yield every page that the navigation names without an asterisk."""
    if isinstance(nav, str):
        yield from () if "*" in nav else (nav,)
    else:
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from named(entry)


def written_out(nav: Any, left: list[str]) -> Any:
    """Return the navigation with the pages that are left in the places of the asterisks."""
    if isinstance(nav, dict):
        return {title: written_out(entry, left) for title, entry in nav.items()}
    if isinstance(nav, list):
        return [one for entry in nav for one in _as_list(written_out(entry, left))]
    depth = nav.count("/")
    return [page for page in left if fnmatch.fnmatch(page, nav) and page.count("/") == depth] if "*" in nav else nav


def _as_list(entry: Any) -> list[Any]:
    return entry if isinstance(entry, list) else [entry]


def fitted(text: str, place: str, files: Files) -> str:
    """Return text with its links led to pages of the site, and pictures in the reader's scheme."""
    text = _PICTURE.sub(lambda it: f"![{it[1]}]({it[2]})" + (f'{{ width="{it[3]}" }}' if it[3] else ""), text)
    text = endpoints.linked(text, place)
    return _LINK.sub(lambda it: _link(it, place, files), text)


def _link(match: re.Match[str], place: str, files: Files) -> str:
    mark, words, target, anchor, attributes = match[1], match[2], match[3], match[4] or "", match[5] or ""
    if mark:
        words = words.replace("\n", " ")
    if not target or "://" in target or target.startswith("mailto:"):
        return match[0]
    there = _on_site(place, target)
    if files.get_file_from_path(there) is None:
        return words + attributes if (ROOT / _in_repository(place, target)).exists() else match[0]
    relative = posixpath.relpath(there, posixpath.dirname(place) or ".")
    dark = there.replace(".png", "-dark.png")
    if mark and dark != there and files.get_file_from_path(dark) is not None:
        dark = relative.replace(".png", "-dark.png")
        return f"![{words}]({relative}#only-light){attributes}![{words}]({dark}#only-dark){attributes}"
    return f"{mark}[{words}]({relative}{anchor}){attributes}"


def _in_repository(place: str, target: str) -> str:
    """Return which file of the repository a page means by a link."""
    source = _PLACES.get(place) or (place if place.startswith("notebooks/") else f"docs/{place}")
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def _on_site(place: str, target: str) -> str:
    """Return where on the site a link leads."""
    if place.partition("/")[0] in {"endpoints", "reference"}:  # made for the site alone
        return posixpath.normpath(posixpath.join(posixpath.dirname(place), target))
    there = _in_repository(place, target)
    there = BORROWED.get(there, there.removeprefix("docs/"))
    return there.replace(".ipynb", ".md")
