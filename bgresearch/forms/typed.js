// One field of a sealed form: its elements and the message below. The text exists in its input elements alone.

function made(tag, className, parent, text = "") {
  const one = document.createElement(tag);
  one.className = className;
  one.textContent = text;
  if (tag === "button") ours(one).type = "button";
  parent?.append(one);
  return one;
}

/** A key pressed here is no command of the notebook's; its shortcuts check the focused element before its parents. */
function ours(element) {
  element.setAttribute("data-lm-suppress-shortcuts", "true");
  return element;
}

/** One text: label, input, show and hide, help, problem; typed twice if it is new. */
class Typed {
  constructor(spec, id, parent, changed) {
    Object.assign(this, { spec, id, changed, shown: false, said: "" });
    this.box = made("div", "bgs-field", parent);
    this.label = made("label", "bgs-label", this.box, spec.label);
    this.label.htmlFor = id;
    this.row = made("div", "bgs-row", this.box);
    this.toggle = made("button", "bgs-button bgs-toggle", this.row, "Show");
    this.toggle.addEventListener("click", () => this.show(!this.shown));
    this.again = null;
    if (spec.is_new) {
      this.againLabel = made("label", "bgs-label", this.box, `${spec.label}, again`);
      this.againLabel.htmlFor = `${id}-again`;
      this.againRow = made("div", "bgs-row", this.box);
    }
    this.help = made("p", "bgs-help", this.box, spec.help);
    this.help.id = `${id}-help`;
    this.problem = made("p", "bgs-problem", this.box);
    this.problem.id = `${id}-problem`;
    this.problem.setAttribute("aria-live", "polite");
    this.renew();
  }

  /** Empties the field: with new elements that never held anything, so that nothing can be undone. */
  renew() {
    const had = document.activeElement === this.input ? "input" : document.activeElement === this.again ? "again" : "";
    this.input = this.#fresh(this.id, this.input, this.row);
    if (this.spec.is_new) this.again = this.#fresh(`${this.id}-again`, this.again, this.againRow);
    this.show(false);
    if (had) this.input.focus();
  }

  #fresh(id, old, row) {
    const input = ours(made(this.spec.kind === "pem" ? "textarea" : "input", "bgs-input", null));
    input.id = id;
    if (input.tagName === "INPUT") input.type = "password";
    else input.rows = 4;
    const quiet = { autocomplete: "one-time-code", autocapitalize: "off", autocorrect: "off", spellcheck: "false",
      "aria-describedby": `${this.id}-help ${this.id}-problem`, "data-1p-ignore": "true", "data-bwignore": "true",
      "data-lpignore": "true", "data-form-type": "other" };
    for (const [name, value] of Object.entries(quiet)) input.setAttribute(name, value);
    input.addEventListener("input", () => this.changed(this));
    input.addEventListener("paste", (event) => event.stopPropagation()); // the notebook handles pasting itself
    if (old) {
      input.disabled = old.disabled;
      old.value = "";
      old.replaceWith(input);
    } else row.prepend(input);
    return input;
  }

  get text() {
    return this.input.value;
  }

  get inputs() {
    return this.again ? [this.input, this.again] : [this.input];
  }

  show(shown) {
    this.shown = shown;
    for (const input of this.inputs) {
      if (input.tagName === "INPUT") input.type = shown ? "text" : "password";
      input.classList.toggle("bgs-masked", !shown);
    }
    this.toggle.textContent = shown ? "Hide" : "Show";
    this.toggle.setAttribute("aria-label", `${shown ? "Hide" : "Show"} ${this.label.textContent}`);
    this.toggle.setAttribute("aria-pressed", String(shown));
  }

  rename(label) {
    this.label.textContent = label;
    this.show(this.shown);
  }

  /** What is wrong with the present text. */
  wrong(isFinished) {
    const found = blemish(this.spec.kind, this.text);
    if (found) return `${this.label.textContent} ${found}.`;
    if (isFinished && this.text === "") return `${this.label.textContent} is empty.`;
    if (this.again && (isFinished || this.again.value !== "") && this.again.value !== this.text) {
      return isFinished || !this.text.startsWith(this.again.value) ? "The two are not the same." : "";
    }
    return "";
  }

  say(message, isProblem) {
    const said = message && `${isProblem ? "✕" : "▲"} ${message}`;
    if (this.problem.textContent !== said) this.problem.textContent = said;
    this.problem.classList.toggle("bgs-warning", !isProblem);
    for (const input of this.inputs) {
      if (message && isProblem) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
  }
}
