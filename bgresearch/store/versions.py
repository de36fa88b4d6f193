"""One rule for the field ``format`` of every kept file: known, newer, or no format at all."""

from __future__ import annotations


class NewerFormat(Exception):
    """Written by a newer version: neither damaged nor readable; the file is left as it is."""


def check_format(found: object, newest: int) -> None:
    """Refuse a format that this version does not read.

    Raises
    ------
    NewerFormat
        A whole number above ``newest``.
    ValueError
        Anything else than a whole number from 1: the file is damaged.
    """
    if type(found) is not int or found < 1:
        raise ValueError(f"{str(found)[:20]!r} is no format")
    if found > newest:
        raise NewerFormat(f"it has format {str(found)[:20]}, this version reads up to {newest}; update bgresearch")
