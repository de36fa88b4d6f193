// The form of a SealedInput. What is typed exists in its input elements alone, from the first key to the sealing; it is
// never put into an attribute, the console, an error, the widget's model or a message that is not sealed.

const PATIENCE_MS = 15_000; // a running kernel answers within one second
const PAUSE_MS = 400; // after the last keystroke, before the strength of a password is requested
const STRENGTHS = ["very weak", "weak", "fair", "good", "strong"];
const SILENT = "The notebook's kernel does not respond. Run the cell again, then type the texts again.";

/** Requests to the kernel that wait for their answer. */
class Kernel {
  constructor(model, view) {
    Object.assign(this, { model, view, number: 0, waiting: new Map() });
  }

  ask(purpose) {
    const number = ++this.number;
    return new Promise((resolve, reject) => {
      const fail = (reason) => reject(new Unsealable(reason));
      const timer = setTimeout(() => this.#settle(number)?.fail(SILENT), PATIENCE_MS);
      this.waiting.set(number, { resolve, fail, timer });
      this.send({ kind: "ask", purpose, number });
    });
  }

  send(message) {
    this.model.send({ ...message, view: this.view });
  }

  answered(message) {
    this.#settle(message.number)?.resolve(message);
  }

  /** Whether a request was waiting for what was refused. */
  refused(message) {
    const one = this.#settle(message.number);
    one?.fail(message.words);
    return Boolean(one);
  }

  end() {
    for (const number of [...this.waiting.keys()]) this.#settle(number);
  }

  #settle(number) {
    const one = this.waiting.get(number);
    this.waiting.delete(number);
    clearTimeout(one?.timer);
    return one;
  }
}

class Form {
  constructor(model, el) {
    const view = encoded(crypto.getRandomValues(new Uint8Array(9)));
    Object.assign(this, { model, view, el, kernel: new Kernel(model, view), opener: null, busy: false });
    this.purpose = model.get("_purpose");
    this.fields = model.get("_fields").map((spec, place) => new Typed(spec, `bgs-${view}-${place}`, el, (one) => this.typed(one)));
    this.meter = model.get("_has_meter") ? new Meter(this) : null;
    this.agent = made("p", "bgs-agent", el);
    this.button = made("button", "bgs-button bgs-submit", el, model.get("submit"));
    this.button.addEventListener("click", () => this.submit());
    this.status = made("p", "bgs-status", el);
    this.status.setAttribute("role", "status");
    this.reply = made("div", "bgs-reply", el);
    el.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.tagName === "INPUT" && !event.isComposing) this.submit();
    });
    this.follow();
  }

  async greet() {
    try {
      await this.fresh();
    } catch (error) {
      this.say(messageOf(error), true);
    }
  }

  /** Follows the model: the message, and whether input is accepted. */
  follow() {
    this.button.textContent = this.model.get("submit");
    const disabled = this.model.get("disabled");
    for (const one of this.fields) for (const input of [...one.inputs, one.toggle]) input.disabled = disabled;
    this.button.disabled = disabled;
    this.say(this.model.get("status"), false);
  }

  say(text, isProblem) {
    const said = text && isProblem ? `✕ ${text}` : text;
    if (this.status.textContent !== said) this.status.textContent = said;
    this.status.classList.toggle("bgs-problem", isProblem);
  }

  typed(field) {
    const found = swapped(Object.fromEntries(this.fields.map((one) => [one.spec.name, one.text])));
    for (const one of this.fields) {
      const wrong = one.wrong(false);
      const odd = one.text.length > 3 ? found[one.spec.name] : ""; // too short to judge
      if (one === field || !one.problem.textContent.startsWith("✕")) {
        one.say(wrong || (odd ? `${one.label.textContent} ${odd}. Are the fields in the right place?` : ""), Boolean(wrong));
      }
    }
    if (field === this.fields[0]) this.meter?.typed();
  }

  /** An unused offer, and whether it comes from another agent or asks for other groups than before. */
  async fresh() {
    const { offer, asked } = await this.kernel.ask(this.purpose);
    const fingerprint = await fingerprintOf(offer.public_key);
    const isOther = this.fingerprint !== undefined && this.fingerprint !== fingerprint;
    const asksOthers = this.asked !== undefined && this.asked !== asked.join();
    this.fingerprint = fingerprint;
    this.asked = asked.join();
    this.agent.replaceChildren("Sealed for the agent ", made("code", "bgs-fingerprint", null, fingerprint),
      ", which alone can open it. To compare: ", made("code", "", null, "bgresearch vault status"), " shows the same fingerprint.");
    this.fields.forEach((one, place) => one.rename(one.spec.label.replace("#", () => asked[place] ?? "#")));
    return { offer, isOther, asksOthers };
  }

  /** Requested at the last moment: a kernel or an agent that has ended is noticed while the texts are still here. */
  async offer() {
    const { offer, isOther, asksOthers } = await this.fresh();
    if (asksOthers) {
      this.empty();
      throw new Unsealable("The agent now asks for other groups: type these.");
    }
    if (isOther) {
      throw new Unsealable("The agent has changed. Compare its fingerprint, then press the button again.");
    }
    return offer;
  }

  async submit() {
    if (this.busy || this.model.get("disabled")) return;
    const wrong = this.fields.map((one) => [one, one.wrong(true)]).filter(([, found]) => found);
    for (const [one, found] of wrong) one.say(found, true);
    if (wrong.length) {
      wrong[0][0].input.focus();
      return;
    }
    this.busy = true;
    this.say("Sealing …", false);
    this.fields.forEach((one) => one.inputs.forEach((input) => { input.readOnly = true; }));
    try {
      const offer = await this.offer();
      const { box, opener } = await seal(offer, Object.fromEntries(this.fields.map((one) => [one.spec.name, one.text])));
      this.empty();
      this.opener = opener;
      this.say("Sealed; waiting for the agent.", false);
      this.kernel.send({ kind: "box", purpose: this.purpose, box });
    } catch (error) {
      this.say(messageOf(error), true);
    } finally {
      this.busy = false;
      this.fields.forEach((one) => one.inputs.forEach((input) => { input.readOnly = false; }));
    }
  }

  empty() {
    this.opener = null;
    this.meter?.clear();
    for (const one of this.fields) {
      one.renew();
      one.say("", false);
    }
  }

  heard(message) {
    if (message.view && message.view !== this.view) return;
    if (message.kind === "offer") this.kernel.answered(message);
    else if (message.kind === "strength") this.meter?.heard(message);
    else if (message.kind === "problem" && !this.kernel.refused(message)) this.problem(message);
    else if (message.kind === "clear") this.clear();
    else if (message.kind === "reply") this.open(message.box);
    else if (message.kind === "taken" && this.status.textContent.startsWith("Sealed;")) this.say(this.model.get("status"), false);
  }

  problem({ field, words: said }) {
    const one = this.fields.find((candidate) => candidate.spec.name === field);
    if (!one) {
      this.say(said, true);
      return;
    }
    one.say(said, true);
    one.input.focus();
    this.say("", false);
  }

  clear() {
    this.empty();
    this.#dropReply();
  }

  /** Removes the reply and shows the fields again. */
  #dropReply() {
    this.reply.replaceChildren();
    this.el.classList.remove("bgs-replied");
  }

  async open(box) {
    const opener = this.opener;
    this.opener = null;
    if (!opener) {
      this.say("This page can no longer open the agent's reply. Start this step again.", true);
      return;
    }
    try {
      const texts = await openReply(opener, box);
      this.reply.replaceChildren();
      for (const [name, text] of Object.entries(texts)) {
        made("h3", "bgs-label", this.reply, `Your ${name.replaceAll("_", " ")}`);
        ours(made("p", "bgs-secret", this.reply, String(text))).tabIndex = 0;
      }
      const hide = made("button", "bgs-button", this.reply, "I have written it down: hide it");
      hide.addEventListener("click", () => this.hideReply());
      this.el.classList.add("bgs-replied");
      this.say("", false);
      this.reply.querySelector(".bgs-secret").focus();
    } catch (error) {
      this.say(messageOf(error), true);
    }
  }

  hideReply() {
    this.#dropReply();
    this.say("Hidden; this page no longer has it.", false);
    this.kernel.send({ kind: "forgotten" });
    this.button.focus();
  }

  end() {
    this.kernel.end();
    this.clear();
  }
}

/** How strong a new password is: sealed for the agent while it is typed, which answers with a score and advice. */
class Meter {
  constructor(form) {
    this.form = form;
    this.box = made("div", "bgs-meter");
    form.fields[0].row.after(this.box); // below the password, above its repetition
    this.bar = made("div", "bgs-bar", this.box);
    this.bar.setAttribute("aria-hidden", "true"); // the text says the same
    for (let part = 0; part < STRENGTHS.length - 1; part += 1) made("span", "bgs-part", this.bar);
    this.text = made("p", "bgs-help", this.box);
    this.text.setAttribute("aria-live", "polite");
    this.clear();
  }

  typed() {
    clearTimeout(this.timer);
    this.newest = null;
    if (this.form.fields[0].text === "") this.clear();
    else this.timer = setTimeout(() => this.ask(), PAUSE_MS);
  }

  async ask() {
    const asked = (this.newest = {});
    try {
      const { offer, number } = await this.form.kernel.ask("strength");
      const text = this.form.fields[0].text;
      if (this.newest !== asked || text === "" || (await fingerprintOf(offer.public_key)) !== this.form.fingerprint) return;
      asked.number = number;
      const { box } = await seal(offer, Object.fromEntries(offer.fields.map((name) => [name, text])));
      this.form.kernel.send({ kind: "box", purpose: "strength", number, box });
    } catch {
      this.clear(); // the meter is optional; without it a password is sealed as well
    }
  }

  heard({ number, score, words: said }) {
    if (!this.newest || number !== this.newest.number) return;
    const place = Math.max(0, Math.min(STRENGTHS.length - 1, Number(score) || 0));
    this.bar.dataset.score = String(place);
    this.text.textContent = [`Strength: ${STRENGTHS[place]}.`, ...said].join(" ");
    this.box.hidden = false;
  }

  clear() {
    clearTimeout(this.timer);
    this.newest = null;
    this.box.hidden = true;
    this.text.textContent = "";
    delete this.bar.dataset.score;
  }
}

function messageOf(error) {
  return error instanceof Unsealable ? error.message : "The browser could not seal this. Load the page again, or use the terminal.";
}

function refusal(model, el, reason) {
  made("p", "bgs-problem", el, `✕ ${reason}`);
  const instead = made("p", "bgs-help", el, "Nothing can be typed here. In a terminal on the notebook's machine, type ");
  made("code", "", instead, model.get("terminal"));
  instead.append(", or open the notebook as http://localhost.");
}

async function render({ model, el }) {
  el.classList.add("bgs");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", "Sealed input");
  ours(el);
  const reason = await whyNot();
  if (reason) return void refusal(model, el, reason);
  const form = new Form(model, el);
  const heard = (message) => form.heard(message);
  const follow = () => form.follow();
  const leave = () => form.clear();
  model.on("msg:custom", heard);
  model.on("change:submit change:status change:disabled", follow);
  globalThis.addEventListener("pagehide", leave);
  void form.greet();
  return () => {
    form.end();
    model.off("msg:custom", heard);
    model.off("change:submit change:status change:disabled", follow);
    globalThis.removeEventListener("pagehide", leave);
  };
}

export default { render };
