"""A log as bytes for storage: a checksum and numbers of 8 bytes; no names, no secrets."""

from __future__ import annotations

import struct
import sys
import zlib
from array import array

from bgresearch.http.ratelimit.limiter import Log

VERSION = 3  # format version, part of file and key names, as each version counts on its own
_SUM = struct.Struct("<I")
_HEAD = struct.Struct(
    "<ddddII"
)  # time of writing, end of the pause, shortest trip, first response; trips; number of arrivals


class DamagedLog(Exception):
    """Bytes that are not an encoded log, or a file that is not a log file."""


def encode(log: Log, written_s: float) -> bytes:
    """Return the bytes of a log at that time."""
    head = _HEAD.pack(written_s, log.paused_until_s, log.trip_s, log.first_s, log.trips, len(log.arrived))
    body = head + _turned(array("d", [*log.arrived, *log.out])).tobytes()
    return _SUM.pack(zlib.crc32(body)) + body


def decode(data: object, now_s: float) -> Log:
    """Return the decoded log.

    A log with a time of writing in the future is from before a reboot, or the clock was set back: its age
    is not known, so it counts as written just now.

    Raises
    ------
    Damaged
        The bytes are damaged.
    """
    if not isinstance(data, bytes) or len(data) < _SUM.size + _HEAD.size:
        raise DamagedLog("a log is truncated")
    body = memoryview(data)[_SUM.size :]
    if _SUM.pack(zlib.crc32(body)) != data[: _SUM.size]:
        raise DamagedLog("a checksum is wrong")
    written_s, paused_until_s, trip_s, first_s, trips, back = _HEAD.unpack_from(body)
    moments = array("d")
    moments.frombytes(body[_HEAD.size :])
    moments = _turned(moments)
    log = Log(
        moments[:back], moments[back:], paused_until_s=paused_until_s, trip_s=trip_s, trips=trips, first_s=first_s
    )
    if written_s > now_s:
        log.shift(now_s - written_s)
    return log


def _turned(numbers: array[float]) -> array[float]:
    """Return the numbers in little-endian byte order."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
