"""The agent's first step: no other process of the same user may read its memory. Standard library only.

Root still can, and so can any process if everything runs as root. Memory may be swapped: locking it needs privileges.
"""

from __future__ import annotations

import ctypes
import sys

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4  # linux/prctl.h
_PLATFORM: str = sys.platform
_PT_DENY_ATTACH = 31  # macOS sys/ptrace.h


def harden() -> tuple[str, ...]:
    """Forbid core dumps and reading this process; return descriptions of what this platform cannot forbid."""
    missing = [] if _no_core_dumps() else ["a crash of the agent may leave its memory in a core file"]
    if not _no_reading():
        missing.append("other programs of the same user may read the agent's memory")
    return tuple(missing)


def _no_core_dumps() -> bool:
    if sys.platform == "win32":
        return False
    import resource  # noqa: PLC0415 - not on Windows

    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError):
        return False
    return True


def _no_reading() -> bool:
    if _PLATFORM == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        return bool(libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
    if _PLATFORM == "darwin":
        return bool(ctypes.CDLL(None).ptrace(_PT_DENY_ATTACH, 0, None, 0) == 0)
    return False
