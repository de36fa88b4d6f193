"""What a person does in the wizard, by the words on it: shared by tests and by the script that takes pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from playwright.sync_api import Locator, Page

from bgresearch.agent.launcher import start
from bgresearch.agent.socket_path import Place
from bgresearch.forms.wizard_state import Progress, to_text
from bgresearch.keys.onboarding import messages as words
from bgresearch.keys.onboarding.purposes import PURPOSES
from bgresearch.sandbox import SANDBOX_KEYS
from tests.browser.harness import ANSWER_MS, Home, shown
from vault import FLOOR, Vault
from vault.hidden import Hidden

PASSWORD = "correct horse battery staple"
SETUP = "import bgresearch as bg\nbg.setup()"
CHART_FILLS = """() => {
  const form = document.querySelector(".bg-form");
  const inner = form.clientWidth - 2 * parseFloat(getComputedStyle(form).paddingLeft);
  return Math.abs(form.querySelector(".js-plotly-plot .main-svg").getBoundingClientRect().width - inner) < 12;
}"""
_MOST_TABS = 60  # until somebody gives up
_NAME = """(one) => {
  const label = one.labels?.[0]?.textContent || one.getAttribute("aria-label") || one.textContent;
  return (label || "").trim();
}"""
_ACTIVE = f"() => ({_NAME})(document.activeElement)"
_THERE = f"""(name) => [...document.querySelectorAll(".bg-form :is(button, input, textarea, select)")]
  .some((one) => one.checkVisibility() && ({_NAME})(one).startsWith(name))"""
Look = Callable[[str], object]


def nothing(_: str) -> None:
    """Look at nothing."""


class Walk:
    """Somebody in front of a form.

    Parameters
    ----------
    page : Page
        With the form in it.
    look : callable
        Told the name of every page that is there: takes pictures, or looks for barriers.
    """

    def __init__(self, page: Page, look: Look = nothing) -> None:
        self.page, self._look = page, look
        self.form = page.locator(".bg-form").last
        shown(self.form)  # a kernel starts, packages are imported

    def see(self, text: str) -> Locator:
        """Wait until these words can be seen in the form."""
        found = self.form.get_by_text(text).first
        found.wait_for(timeout=ANSWER_MS)
        return found

    def at(self, step: str, name: str = "") -> None:
        """Wait for a step, and look at it."""
        self.form.get_by_role("heading", name=words.STEP_TITLES[step]).wait_for(timeout=ANSWER_MS)
        self.look(name or step)

    def look(self, name: str) -> None:
        self._look(name)

    def press(self, name: str) -> None:
        self.form.get_by_role("button", name=name, exact=True).click(timeout=ANSWER_MS)

    def type(self, label: str, text: str) -> None:
        self.form.get_by_label(label, exact=True).first.fill(text, timeout=ANSWER_MS)

    def tick(self, words_on_it: str) -> None:
        self.form.get_by_role("checkbox", name=words_on_it).check(timeout=ANSWER_MS)

    def choose(self, purpose: str, addresses: str) -> None:
        """Go to the page of the vault."""
        self.at("before")
        self.press(words.BEGIN)
        self.at("purpose", "purpose-empty")
        self.choose_purposes(purpose)
        self.see("On the exchange's page")
        self.look("purpose")
        self.press(words.NEXT)
        self.at("address", "address-empty")
        self.type(words.ADDRESS_QUESTION, addresses)
        self.look("address")
        self.press(words.NEXT)

    def choose_purposes(self, *titles: str) -> None:
        """Tick these purposes and no others."""
        for one in PURPOSES.values():
            box = self.form.get_by_role("checkbox", name=one.title)
            box.set_checked(one.title in titles, timeout=ANSWER_MS)

    def make_vault(self, *, with_recovery: bool = False) -> None:
        """Type a new master password; go on without a recovery code, or have one shown."""
        self.at("open", "vault-empty")
        self.type(words.NEW_PASSWORD, PASSWORD)
        self.type(f"{words.NEW_PASSWORD}, again", PASSWORD)
        self.see("Strength:")
        self.look("vault")
        self.press(words.CREATE_VAULT)
        self.see(words.VAULT_CREATED)
        self.look("recovery")
        if with_recovery:
            self.type(f"{words.MASTER_PASSWORD}, again", PASSWORD)
            self.press(words.SHOW_RECOVERY)
        else:
            self.press(words.NO_RECOVERY)

    def type_key(self, name: str, label: str = "research", **changed: str) -> None:
        """Name a key of the sandbox and type its three texts."""
        key = SANDBOX_KEYS[name]
        self.type(words.KEY_NAME, label)
        self.press(words.NEXT)
        self.see(words.KEY_HELP[:30])
        texts = {"API key": key.api_key, "SecretKey": key.secret_key, "Passphrase": key.passphrase} | changed
        for field, text in texts.items():
            self.type(field, text)

    def hand_in(self, name: str, label: str = "research", **changed: str) -> None:
        """Name a key of the sandbox and seal it."""
        self.at("key", "name")
        self.type_key(name, label, **changed)
        self.look("key")
        self.press(words.SEAL)
        self.at("check", "check-begun")


class Keyboard:
    """Somebody who has no mouse: goes from control to control with Tab."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.form = page.locator(".bg-form").last
        self.form.locator(".bg-heading").evaluate("heading => heading.focus()")  # who has just come into the form

    def reach(self, name: str) -> None:
        """Go to the control with this name."""
        self._page.wait_for_function(_THERE, arg=name, timeout=ANSWER_MS)  # a page comes after its heading
        for _ in range(_MOST_TABS):
            if self._page.evaluate(_ACTIVE).startswith(name):
                return
            self._page.keyboard.press("Tab")
        raise AssertionError(f"{name!r} cannot be reached with Tab")

    def press(self, name: str) -> None:
        self.reach(name)
        self._page.keyboard.press("Enter")

    def write(self, name: str, text: str) -> None:
        self.reach(name)
        self._page.keyboard.press("ControlOrMeta+a")
        self._page.keyboard.type(text)
        self._page.keyboard.press("Tab")

    def arrived(self, step: str) -> None:
        """Wait until the heading of a step has the focus."""
        self.form.locator(".bg-heading:focus", has_text=words.STEP_TITLES[step]).wait_for(timeout=ANSWER_MS)

    def sealable(self) -> None:
        """Wait until the form knows its agent."""
        self.form.locator(".bgs-fingerprint").wait_for(timeout=ANSWER_MS)


def by_keyboard(page: Page) -> Iterator[str]:
    """Go the short way from the first page to the balances by keyboard; give every step's name when it is done."""
    Walk(page).at("before")
    keys, key = Keyboard(page), SANDBOX_KEYS["readonly"]
    keys.press(words.QUICK)
    keys.arrived("address")
    yield from (words.STEP_NAMES["before"], words.STEP_NAMES["purpose"])
    keys.write(words.ADDRESS_QUESTION, "8.8.8.8")
    keys.press(words.NEXT)
    keys.arrived("open")
    yield words.STEP_NAMES["address"]
    keys.sealable()
    keys.write(words.NEW_PASSWORD, PASSWORD)
    keys.write(f"{words.NEW_PASSWORD}, again", PASSWORD)
    keys.press(words.CREATE_VAULT)
    keys.press(words.NO_RECOVERY)
    keys.arrived("key")
    yield words.STEP_NAMES["open"]
    keys.press(words.NEXT)
    keys.sealable()
    for label, text in (("API key", key.api_key), ("SecretKey", key.secret_key), ("Passphrase", key.passphrase)):
        keys.write(label, text)
    keys.press(words.SEAL)
    keys.arrived("check")
    yield words.STEP_NAMES["key"]
    keys.press(words.SEE_VERDICT)
    keys.arrived("verdict")
    yield words.STEP_NAMES["check"]
    keys.press(words.SAVE_KEY)
    keys.arrived("done")
    yield words.STEP_NAMES["verdict"]
    Walk(page).see(words.BALANCES_SHOWN)
    yield words.STEP_NAMES["done"]


def prepare(person: Home, purposes: tuple[str, ...] = ("spot",), keys: Mapping[str, str] | None = None) -> None:
    """Give a person an open vault with some keys of the sandbox by label, and a wizard on the page of the new key."""
    with Vault.create(person.vault, PASSWORD, profile=FLOOR) as vault:
        for label, name in (keys or {}).items():
            key = SANDBOX_KEYS[name]
            triple = {"api_key": key.api_key, "secret_key": key.secret_key, "passphrase": key.passphrase}
            vault.add(label, **triple, host=person.base_url)
    start(person.vault, Hidden(PASSWORD), place=Place(person.agent))
    memory = person.folder / "state" / "bgresearch" / "setup.json"
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(to_text(Progress("key", purposes, ("8.8.8.8",))), encoding="utf-8")
