"""The steps as values, and the five calls where there is no notebook."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.forms.wizard_state import (
    CONTINUED,
    FORGOTTEN,
    LOCKED,
    STEPS,
    AgentState,
    Progress,
    back,
    can_go_back,
    forward,
    from_text,
    has_lost,
    resumed,
    to_text,
)

LOCKED_VAULT, OPEN_VAULT = AgentState(True, False, "a"), AgentState(True, True, "a")
TEXTS = st.lists(st.text()).map(tuple)


def walked(agent_state: AgentState) -> list[str]:
    progress, seen = Progress(), []
    for _ in STEPS:
        seen.append(progress.step)
        progress = forward(progress, agent_state)
    return list(dict.fromkeys(seen))


def test_eight_steps_lead_to_the_end_and_an_open_vault_is_passed_by() -> None:
    assert walked(LOCKED_VAULT) == list(STEPS)
    assert walked(OPEN_VAULT) == [step for step in STEPS if step != "open"]


def test_back_undoes_forward_until_a_key_is_sealed() -> None:
    for agent_state in (LOCKED_VAULT, OPEN_VAULT):
        for step in walked(agent_state)[1:5]:
            assert forward(back(Progress(step), agent_state), agent_state).step == step
    for step in ("check", "verdict"):
        assert back(Progress(step, staged="1", holder="a", label="x"), OPEN_VAULT) == Progress("key", label="x")
    assert [can_go_back(Progress(step)) for step in STEPS] == [False, *[True] * 6, False]


@pytest.mark.parametrize(
    ("step", "agent_state", "expected", "said"),
    [
        ("before", LOCKED_VAULT, "before", ""),
        ("address", LOCKED_VAULT, "address", CONTINUED),
        ("open", LOCKED_VAULT, "open", CONTINUED),
        ("open", OPEN_VAULT, "key", CONTINUED),
        ("key", OPEN_VAULT, "key", CONTINUED),
        ("key", LOCKED_VAULT, "open", LOCKED),
        ("check", OPEN_VAULT, "check", CONTINUED),
        ("verdict", OPEN_VAULT, "check", CONTINUED),
        ("verdict", LOCKED_VAULT, "open", LOCKED),
        ("check", AgentState(True, True, "another"), "key", FORGOTTEN),
        ("done", OPEN_VAULT, "before", ""),
    ],
)
def test_an_interruption_leads_where_nothing_but_the_secret_is_lost(
    step: str, agent_state: AgentState, expected: str, said: str
) -> None:
    sealed = ("1", "a") if step in {"check", "verdict"} else ("", "")
    before = Progress(step, ("spot",), ("8.8.8.8",), "mine", *sealed)  # type: ignore[arg-type]
    after, reported = resumed(before, agent_state)
    assert (after.step, reported) == (expected, said)
    if step not in {"before", "done"}:
        assert (after.purposes, after.addresses, after.label) == (("spot",), ("8.8.8.8",), "mine")
    assert not has_lost(after, agent_state)


@given(st.builds(Progress, st.sampled_from(STEPS), TEXTS, TEXTS, st.text(), st.text(), st.text()))
def test_what_is_remembered_is_read_back(progress: Progress) -> None:
    assert from_text(to_text(progress)) == progress


@given(
    st.text()
    | st.sampled_from(["{}", "[]", "null", '{"step": "nowhere"}', to_text(Progress()).replace('"before"', "1")])
)
def test_a_memory_that_makes_no_sense_is_a_new_beginning(text: str) -> None:
    assert from_text(text) == Progress()


@pytest.mark.parametrize(
    ("call", "command"),
    [
        ("setup()", "bgresearch setup"),
        ("keys()", "bgresearch keys list"),
        ("unlock()", "bgresearch vault unlock"),
        ("check('research')", "bgresearch check research"),
        ("explore()", "bgresearch explore"),
    ],
)
def test_outside_a_notebook_the_command_is_named(call: str, command: str) -> None:
    code = f"import bgresearch as bg\ntry: bg.{call}\nexcept bg.ConfigurationError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603
    assert f"In a terminal: {command}." in done.stdout
    assert "this is not one" in done.stdout


def test_a_missing_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['anywidget'] = None\n"
        "import importlib.util as util; find = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'anywidget' else find(name, *more)\n"
        "import bgresearch as bg\n"
        "try: bg.setup()\n"
        "except bg.ConfigurationError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603
    assert "Forms need anywidget. Type: pip install 'bgresearch[forms]'." in done.stdout
