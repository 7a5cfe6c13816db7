// Everything about one cell.

/** Show a cell; then the button `focus` has the focus, or the first where that one leads nowhere. */
function openDrawer(cell, focus = "drawer-close") {
  const figures = page.figures.filter(({ key }) => key in cell.figures).map(({ key, name, says }) => {
    const [value, low, high] = cell.figures[key];
    return [name, number(value) + (low === undefined ? "" : ` [${number(low)}, ${number(high)}]`), says];
  });
  const costs = Object.entries(cell.cost).map(([stage, [calls, seconds]]) => [stage, number(calls), number(seconds)]);
  const weights = cell.weights.before === undefined ? []
    : [["weights before", cell.weights.before], ["weights after", cell.weights.after],
      ["frozen", cell.weights.before === cell.weights.after ? "equal" : "NOT EQUAL: the model changed, do not trust this run"]];
  const around = shownCells(), here = around.indexOf(cell);
  const step = (by_, name) => {
    const id = `drawer-${name.toLowerCase()}`, next = around[here + by_];
    return el("button", { type: "button", id, disabled: !next, onclick: () => openDrawer(next, id) }, name);
  };
  by("drawer").replaceChildren(
    el("div", { class: "drawer-head" },
      el("h2", { id: "drawer-title" }, cell.label),
      el("button", { type: "button", id: "drawer-close", autofocus: true, onclick: () => by("drawer").close() }, "Close"),
      step(-1, "Previous"), step(1, "Next")),
    el("p", { class: "soft" }, cell.folder),
    ...(cell.report || cell.tracked ? [el("p", { id: "links" },
      ...[["Report", cell.report], ["W&B run", cell.tracked]].filter(([, to]) => to).map(([name, to]) => el("a", { href: to, rel: "noreferrer" }, name)))] : []),
    ...(cell.status === "complete" ? [] : [el("p", {}, el("span", { class: "bad" }, cell.status), `: ${cell.why}`)]),
    el("h3", {}, "Run it again"),
    el("pre", { id: "command" }, cell.command),
    el("button", { type: "button", onclick: copyCommand }, "Copy"),
    el("p", { class: "soft" }, "Execute it in the folder where the run or its sweep was started."),
    ...strips(cell),
    ...part("Figures", ["figure", "value [95 % interval]", ""], figures),
    ...part("Claims", ["claim", "verdict"], Object.entries(cell.claims)),
    ...part("Cost", ["stage", "network calls", "seconds"], costs),
    ...(cell.memory ? [el("p", { class: "soft" }, `Peak memory ${number(cell.memory)} MiB.`)] : []),
    ...part("Versions", ["package", "version"], [...Object.entries({ ...page.alike.versions, ...cell.versions }), ...weights]),
    ...part("Settings that differ between runs", ["setting", "value"], Object.entries(cell.config)),
    el("details", {}, el("summary", {}, "Full configuration"),
      el("pre", { id: "config" }, Object.entries({ ...page.alike.config, ...cell.config }).sort()
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
