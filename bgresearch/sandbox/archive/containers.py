"""Tables as files: CSV or one-sheet XLSX, each alone in a ZIP; the same bytes every time."""

from __future__ import annotations

import csv
import io
import zipfile
from xml.sax.saxutils import escape

from bgresearch.sandbox.archive.rows import Table

_DATE = (2024, 1, 1, 0, 0, 0)  # of every member, so that equal rows are equal bytes
_LEVEL = 6
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS = {
    "[Content_Types].xml": (
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}


def zipped(table: Table, name: str, *, xlsx: bool) -> bytes:
    """Return a ZIP with the table as its one member, ``name`` and the ending of its kind."""
    member = (f"{name}.xlsx", workbook(table)) if xlsx else (f"{name}.csv", comma_separated(table))
    return _zip([member])


def comma_separated(table: Table) -> bytes:
    """Return a table as CSV, in UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.header)
    writer.writerows(table.rows)
    return out.getvalue().encode()


def workbook(table: Table) -> bytes:
    """Return a table as a workbook of one sheet: the first column numbers, header and all else inline texts."""
    lines = [_row(1, [_inline(place, 1, name) for place, name in enumerate(table.header)])]
    for at, row in enumerate(table.rows, start=2):
        cells = [f'<c r="A{at}"><v>{row[0]}</v></c>']
        cells += [_inline(place, at, value) for place, value in enumerate(row[1:], start=1)]
        lines.append(_row(at, cells))
    sheet = f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'
    return _zip(
        [*((name, body.encode()) for name, body in _PARTS.items()), ("xl/worksheets/sheet1.xml", sheet.encode())]
    )


def _row(at: int, cells: list[str]) -> str:
    return f'<row r="{at}">{"".join(cells)}</row>'


def _inline(place: int, at: int, value: str) -> str:
    return f'<c r="{chr(65 + place)}{at}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'


def _zip(members: list[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, body in members:
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, body)
    return out.getvalue()
