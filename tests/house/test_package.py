"""What ``import bgresearch`` gives, whatever else was imported before."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(
    "before",
    [
        "",
        "import bgresearch.connect",
        "from bgresearch.connect import connect",
        "import bgresearch.cli.demo",
        "import bgresearch.cli",
    ],
)
def test_connect_is_the_function(before: str) -> None:
    code = f"{before}\nimport bgresearch\nfor _ in range(2): assert callable(bgresearch.connect), bgresearch.connect"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0  # noqa: S603


def test_the_import_alone_is_cheap() -> None:
    code = "import sys, bgresearch; sys.exit(not {'pandas', 'pyarrow', 'requests'}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
