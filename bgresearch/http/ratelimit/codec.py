"""A log as bytes, for whoever keeps it: a check sum and numbers of 8 bytes; no name and no secret."""

from __future__ import annotations

import struct
import sys
import zlib
from array import array

from bgresearch.http.ratelimit.limiter import Log

VERSION = 3  # of this format: files and keys have it in their names, as versions count apart
_SUM = struct.Struct("<I")
_HEAD = struct.Struct("<ddddII")  # written when, the pause's end, shortest trip, first answer; trips; how many arrived


class DamagedLog(Exception):
    """Bytes that no log was written as, or a file that is no budget."""


def encode(log: Log, written_s: float) -> bytes:
    """Return the bytes of a log as it is at that moment."""
    head = _HEAD.pack(written_s, log.paused_until_s, log.trip_s, log.first_s, log.trips, len(log.arrived))
    body = head + _turned(array("d", [*log.arrived, *log.out])).tobytes()
    return _SUM.pack(zlib.crc32(body)) + body


def decode(data: object, now_s: float) -> Log:
    """Return the log that was written.

    One that was written later than now is from before the machine was started anew, or its clock was set back: how
    long ago that was is not known, so it counts as written just now.

    Raises
    ------
    Damaged
        The bytes are not what was written.
    """
    if not isinstance(data, bytes) or len(data) < _SUM.size + _HEAD.size:
        raise DamagedLog("a log is cut off")
    body = memoryview(data)[_SUM.size :]
    if _SUM.pack(zlib.crc32(body)) != data[: _SUM.size]:
        raise DamagedLog("a check sum is wrong")
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
    """Return the numbers in the order of bytes that all machines write: the little end first."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
