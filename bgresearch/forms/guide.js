// The heading of a form, and the accessibility that ipywidgets lack: the form's name, where the focus goes, which problem
// belongs to which field, and what changed. It sees only public texts, never what is typed.

const COPY = "Copy";
let count = 0;

function tie(form) {
  for (const field of form.querySelectorAll(".bg-field")) {
    const input = field.querySelector("input, select, textarea");
    if (!input) continue;
    const ids = [];
    for (const kind of ["bg-help", "bg-problem"]) {
      const text = field.querySelector(`.${kind} .widget-html-content`);
      if (!text || !text.textContent.trim()) continue;
      text.id ||= `bg-text-${++count}`;
      ids.push(text.id);
    }
    const wrong = Boolean(field.querySelector(".bg-problem .widget-html-content")?.textContent.trim());
    set(input, "aria-describedby", ids.join(" "));
    set(input, "aria-invalid", wrong ? "true" : "");
  }
  for (const group of form.querySelectorAll(".widget-radio")) {
    const label = group.querySelector(".widget-label");
    const box = group.querySelector(".widget-radio-box");
    if (!label || !box) continue;
    label.id ||= `bg-text-${++count}`;
    set(box, "role", "radiogroup");
    set(box, "aria-labelledby", label.id);
  }
  for (const bar of form.querySelectorAll(".widget-hprogress .progress")) {
    const fill = bar.querySelector(".progress-bar");
    set(bar, "role", "progressbar");
    set(bar, "aria-label", bar.closest(".widget-hprogress").querySelector(".widget-label")?.textContent || "Progress");
    set(bar, "aria-valuetext", fill?.style.width || "0%");
  }
  for (const one of form.querySelectorAll("button, input, select, textarea, [tabindex]")) {
    set(one, "data-lm-suppress-shortcuts", "true"); // a notebook's shortcuts check the focused element before the form
  }
  for (const lines of form.querySelectorAll(".widget-html-content pre, .bgs-help code")) addCopyButton(lines);
  for (const icon of form.querySelectorAll("i.fa")) set(icon, "aria-hidden", "true");
}

function addCopyButton(lines) {
  if (lines.nextElementSibling?.classList.contains("bg-copy")) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "bg-copy";
  button.textContent = COPY;
  button.addEventListener("click", async () => {
    button.textContent = (await copy(lines)) ? "Copied" : "Press Ctrl+C to copy";
    button.addEventListener("blur", () => { button.textContent = COPY; }, { once: true });
  });
  lines.after(button);
}

/** Copies lines; where the browser does not let a page do that, they are selected for Ctrl+C. */
async function copy(lines) {
  try {
    await navigator.clipboard.writeText(lines.textContent); // pages that are not secure have no clipboard
    return true;
  } catch {
    getSelection().selectAllChildren(lines);
    return document.execCommand("copy");
  }
}

function set(element, name, value) {
  if (!value) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function element(tag, name, parent) {
  const made = document.createElement(tag);
  made.className = name;
  parent.appendChild(made);
  return made;
}

/** One step of the list; `distance` is negative for those that are done, 0 for the current one. */
function step(name, distance) {
  const made = document.createElement("li");
  made.className = distance < 0 ? "bg-done" : distance > 0 ? "bg-later" : "bg-now";
  made.textContent = name;
  if (distance === 0) made.setAttribute("aria-current", "step");
  if (distance < 0) element("span", "bg-unseen", made).textContent = ", done";
  return made;
}

function render({ model, el }) {
  el.classList.add("bg-guide");
  const list = element("ol", "bg-steps", el);
  list.setAttribute("aria-label", "Steps");
  const steps = element("p", "bg-progress", el);
  const heading = element("h2", "bg-heading", el);
  heading.tabIndex = -1;
  const said = element("div", "bg-said", el);
  said.setAttribute("role", "status");
  said.setAttribute("aria-live", "polite");
  let form = null;
  let waiting = 0;
  let resizing = 0;
  // a chart redraws only when the window is resized, and draws first before it has a size in the pane
  const sizes = new ResizeObserver(() => {
    resizing ||= requestAnimationFrame(() => {
      resizing = 0;
      if (form?.querySelector(".js-plotly-plot")) globalThis.dispatchEvent(new Event("resize"));
    });
  });
  const watcher = new MutationObserver(() => {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      if (form) tie(form);
    });
  });

  const show = () => {
    steps.textContent = model.get("progress");
    steps.hidden = !model.get("progress");
    list.hidden = !model.get("steps").length;
    list.replaceChildren(...model.get("steps").map((name, place) => step(name, place - model.get("step"))));
    heading.textContent = model.get("heading");
    if (said.textContent !== model.get("said")) said.textContent = model.get("said");
  };
  const focus = () => requestAnimationFrame(() => heading.focus({ preventScroll: false }));
  const adopt = () => {
    form = el.closest(".bg-form");
    if (!form) {
      waiting = requestAnimationFrame(adopt);
      return;
    }
    waiting = 0;
    form.setAttribute("role", "region");
    form.setAttribute("aria-label", model.get("name"));
    form.setAttribute("data-lm-suppress-shortcuts", "true"); // a key pressed in here is no command of the notebook's
    watcher.observe(form, { childList: true, subtree: true, characterData: true, attributeFilter: ["style"] });
    sizes.observe(form);
    tie(form);
  };
  model.on("change:progress change:heading change:said change:steps change:step", show);
  model.on("change:moved", focus);
  show();
  adopt();
  return () => {
    watcher.disconnect();
    sizes.disconnect();
    cancelAnimationFrame(waiting);
    cancelAnimationFrame(resizing);
    model.off("change:progress change:heading change:said change:steps change:step", show);
    model.off("change:moved", focus);
  };
}

export default { render };
