"""Starts the agent: a process of its own that gets the master password over a pipe, never as argument or variable."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from bgresearch.agent.client import Agent, AgentStatus
from bgresearch.agent.error_codec import rebuilt
from bgresearch.agent.socket_path import Place, default_place, need_sockets
from bgresearch.catalogue.response import printable
from bgresearch.core.user_folders import chosen_path
from bgresearch.errors import AgentError, AgentUnavailable
from vault.hidden import Hidden, without_frames
from vault.intake import seal_box

_COMMAND = ("-E", "-P", "-m", "bgresearch.agent")  # -E, -P: neither variables nor the current folder add code to it
_KEPT = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER")
_KEPT_FAMILIES = ("BGRESEARCH_", "XDG_")  # paths of files
_FOLDERS = ("BGRESEARCH_AGENT_DIR", "BGRESEARCH_DATA_DIR", "BGRESEARCH_STATE_DIR", "BGRESEARCH_VAULT")
_LOADERS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_NO_LIBRARY = (
    "The agent does not inherit other library folders; install the library where the interpreter finds it by default."
)
_MOST_SAID = 300  # characters shown of the output of a process that did not start
_PATIENCE_S = 60.0


def start(
    vault: Path, password: Hidden[str] | None, *, place: Place | None = None, idle_s: float | None = None,
    longest_s: float | None = None, interpreter: str = sys.executable,
) -> AgentStatus:  # fmt: skip
    """Return the status of the one agent, started if there was none. It outlives this process.

    Parameters
    ----------
    vault : Path
        The vault's file.
    password : Hidden str, optional
        Without one the agent starts locked and waits for a sealed box.
    place : Place, optional
        The folder of its socket; the user's own by default.
    idle_s, longest_s : float, optional
        Lock sooner than after 15 minutes without a request, or 12 hours.
    interpreter : str
        The Python that runs the agent; by default the one that runs this.

    Raises
    ------
    WrongPassword, VaultError
        The vault does not open; no agent was started.
    AgentError
        The folder is not safe, the agent did not start, or the running one has another vault.
    """
    need_sockets()
    place = place or default_place()
    secret = {} if password is None else {"password": password.value}
    limits = {name: value for name, value in (("idle_s", idle_s), ("longest_s", longest_s)) if value is not None}
    vault = vault.absolute()  # resolve() would follow links, which the vault refuses
    order = Hidden({"folder": str(place.folder), "vault": str(vault), **secret, **limits})
    del secret
    started = _start_process(order, interpreter)
    if "error" in started:
        raise rebuilt(started["error"]) from None
    with Agent(place) as agent:
        status = agent.status()
        check_vault(status, vault)
        if password is not None and not status.unlocked:
            return unlock(agent, password)
        return status


def check_vault(status: AgentStatus, vault: Path) -> None:
    """Raise `AgentError` if the agent that runs has another vault."""
    if Path(status.vault) != vault.absolute():
        raise AgentError(
            f"an agent with another vault is running: {status.vault}.", hint="Type: bgresearch vault lock, then again."
        )


def unlock(agent: Agent, password: Hidden[str]) -> AgentStatus:
    """Return the status of a running agent after sealing the master password to it."""
    offer = agent.offer()
    return agent.unlock(seal_box(offer["offer"], {"password": password.value}))


@without_frames
def _start_process(order: Hidden[dict[str, object]], interpreter: str) -> dict[str, object]:
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [interpreter, *_COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd="/", env=_environment(), start_new_session=True,
    ) as process:  # fmt: skip
        try:
            said, complaint = process.communicate(json.dumps(order.value).encode("ascii") + b"\n", timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AgentUnavailable("the agent did not start in time.", hint="Try again.") from None
        finally:
            if process.poll() is None:  # Ctrl-C too leaves nothing that starts
                process.kill()
                process.wait()
    try:
        started = json.loads(said)
    except ValueError:
        started = None
    if not isinstance(started, dict):
        last = printable(" ".join(complaint.decode("utf-8", "replace").split())[-_MOST_SAID:])
        hint = _NO_LIBRARY if "librar" in last else f"Is bgresearch installed for {interpreter}?"
        raise AgentUnavailable(f"the agent ended before it was ready{f': {last}' if last else '.'}", hint=hint)
    return started


def _environment() -> dict[str, str]:
    """Return the agent's environment: no variable that loads code, but the paths of the interpreter's own libraries."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_FAMILIES)}
    # Absolute: the agent runs in another folder than its caller.
    kept |= {name: str(path.absolute()) for name in _FOLDERS if (path := chosen_path(name))}
    own = {Path(sys.base_prefix, "lib").resolve(), Path(str(sysconfig.get_config_var("LIBDIR"))).resolve()}
    own |= set(_libpythons())
    for name in _LOADERS:
        given = filter(None, os.environ.get(name, "").split(os.pathsep))
        if folders := [one for one in given if Path(one).resolve() in own]:
            kept[name] = os.pathsep.join(folders)
    return kept


def _libpythons() -> Iterator[Path]:
    """Yield the folders from which this process loaded its interpreter's library, where that is known."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text("utf-8", "replace").splitlines():
            library = Path(line.partition("/")[2])
            if library.name.startswith("libpython"):
                yield Path("/", library).parent
