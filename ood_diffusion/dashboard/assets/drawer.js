// Everything about one run.

/** Show a run; then the button `focus` has the focus, or the first where that one leads nowhere. */
function openDrawer(run, focus = "drawer-close") {
  const figures = page.figures.filter(({ key }) => key in run.figures).map(({ key, name, says }) => {
    const [value, low, high] = run.figures[key];
    return [name, number(value) + (low === undefined ? "" : ` [${number(low)}, ${number(high)}]`), says];
  });
  const costs = Object.entries(run.cost).map(([stage, [calls, seconds]]) => [stage, number(calls), number(seconds)]);
  const weights = run.weights.before === undefined ? []
    : [["weights before", run.weights.before], ["weights after", run.weights.after],
      ["frozen", run.weights.before === run.weights.after ? "equal" : "NOT EQUAL: the model changed, do not trust this run"]];
  const around = shownRuns(), here = around.indexOf(run);
  const step = (by_, name) => {
    const id = `drawer-${name.toLowerCase()}`, next = around[here + by_];
    return el("button", { type: "button", id, disabled: !next, onclick: () => openDrawer(next, id) }, name);
  };
  by("drawer").replaceChildren(
    el("div", { class: "drawer-head" },
      el("h2", { id: "drawer-title" }, run.label),
      el("button", { type: "button", id: "drawer-close", autofocus: true, onclick: () => by("drawer").close() }, "Close"),
      step(-1, "Previous"), step(1, "Next")),
    el("p", { class: "soft" }, run.folder),
    ...(run.report || run.tracked ? [el("p", { id: "links" },
      ...[["Report", run.report], ["W&B run", run.tracked]].filter(([, to]) => to).map(([name, to]) => el("a", { href: to, rel: "noreferrer" }, name)))] : []),
    ...(run.status === "complete" ? [] : [el("p", {}, el("span", { class: "bad" }, run.status), `: ${run.why}`)]),
    el("h3", {}, "Run it again"),
    el("pre", { id: "command" }, run.command),
    el("button", { type: "button", onclick: copyCommand }, "Copy"),
    el("p", { class: "soft" }, "Execute it in the folder where the run or its sweep was started."),
    ...strips(run),
    ...part("Figures", ["figure", "value [95 % interval]", ""], figures),
    ...part("Claims", ["claim", "verdict"], Object.entries(run.claims)),
    ...part("Cost", ["stage", "network calls", "seconds"], costs),
    ...(run.memory ? [el("p", { class: "soft" }, `Peak memory ${number(run.memory)} MiB.`)] : []),
    ...part("Versions", ["package", "version"], [...Object.entries({ ...page.alike.versions, ...run.versions }), ...weights]),
    ...part("Settings that differ between runs", ["setting", "value"], Object.entries(run.config)),
    el("details", {}, el("summary", {}, "Full configuration"),
      el("pre", { id: "config" }, Object.entries({ ...page.alike.config, ...run.config }).sort()
        .map(([name, value]) => `${name}: ${value}`).join("\n"))),
  );
  if (!by("drawer").open) by("drawer").showModal();
  by("drawer").scrollTop = 0;
  by(by(focus).disabled ? "drawer-close" : focus).focus();
}

function part(title, heads, rows) {
  if (!rows.length) return [];
  return [el("h3", {}, title), el("table", {},
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map(([first, ...others]) =>
      el("tr", {}, el("th", { scope: "row" }, first), others.map((other) => el("td", {}, String(other)))))))];
}

/** To the clipboard; where a browser forbids that, the command is marked so that one key copies it. */
async function copyCommand({ target }) {
  const range = document.createRange();
  range.selectNodeContents(by("command"));
  window.getSelection().removeAllRanges();
  window.getSelection().addRange(range);
  try {
    await navigator.clipboard.writeText(by("command").textContent);
    target.textContent = "Copied";
  } catch {
    target.textContent = "Selected: copy it with Ctrl+C";
  }
}

function fillDrawer() {
  by("drawer").addEventListener("click", ({ target, clientX }) => {  // beside it, not on its own margin
    if (target === by("drawer") && clientX < target.getBoundingClientRect().left) target.close();
  });
}
