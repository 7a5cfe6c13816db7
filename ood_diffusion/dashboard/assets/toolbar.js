// The figure, the colours, the filters, and what they leave.
function fillToolbar() {
  const complete = page.runs.filter((run) => run.status === "complete").length;
  const total = page.runs.length + page.waiting;
  by("title").textContent = total === 1 ? "One run" : `${total} runs`;
  const differ = page.coordinates.filter((name) => valuesOf(name).length > 1)
    .map((name) => `${name} (${valuesOf(name).length})`);
  by("summary").textContent = `${complete} of ${total} complete. ` +
    (differ.length ? `They differ in ${differ.join(", ")}.` : "") +
    (page.again ? ` This page is written while they run and reloads every ${page.again} seconds.` : "");
  by("warning").textContent = page.warning;
  by("warning").hidden = !page.warning;

  by("metric").append(...page.figures.map(({ key, name }) => el("option", { value: key }, name)));
  by("metric").closest("label").hidden = page.figures.length === 0;
  by("metric").addEventListener("change", (event) => update(() => { state.metric = event.target.value; }));
  by("colour").append(...page.coordinates.map((name) => el("option", { value: name }, name)));
  by("colour").addEventListener("change", (event) => update(() => { state.colour = event.target.value; }));
  by("unselect").addEventListener("click", unselect);
  by("filtering").addEventListener("click", () => openFilters(by("filters").hidden));
  by("filters").addEventListener("keydown", (event) => {
    if (event.key === "Escape") { openFilters(false); by("filtering").focus(); }
  });
  fillFilters();
  listeners.push(followToolbar);
}

/** None is selected; the focus goes on, for the button is no longer there. */
function unselect() {
  update(() => state.selected.clear());
  by(by("filtering").hidden ? "main" : "filtering").focus();
}

function openFilters(open) {
  by("filters").hidden = !open;
  by("filtering").setAttribute("aria-expanded", String(open));
}

function fillFilters() {
  const differ = page.coordinates.filter((name) => valuesOf(name).length > 1);
  by("filters").replaceChildren(
    el("div", { id: "asked" },
      el("label", {}, "Only runs where ", el("input", { type: "search", id: "where", autocomplete: "off", spellcheck: "false",
        "aria-describedby": "where-says", placeholder: exampleOf(differ), onchange: () => update(readWhere) })),
      el("p", { class: "soft", id: "where-says", role: "status" })),
    ...differ.map((name) => el("fieldset", {}, el("legend", {}, name), valuesOf(name).map((value) =>
      el("label", {}, el("input", { type: "checkbox", "data-name": name, value, onchange: readFilters }), value)))),
    el("button", { type: "button", onclick: clearFilters }, "Show all"),
  );
  by("filtering").hidden = page.runs.length < 2;
}

/** An expression that fits these runs. */
function exampleOf([name, other]) {
  const told = name ? `${name} == ${JSON.stringify(valuesOf(name)[0])}` : "status == complete";
  return other ? `${told} and ${other} != ${JSON.stringify(valuesOf(other)[0])}` : told;
}

/** What is written is asked of runs; what cannot be read changes nothing and says why. */
function readWhere() {
  const text = by("where").value.trim();
  let wrong = "";
  try {
    state.where = whereOf(text);
  } catch (error) {
    wrong = `${error.message}. What was asked before is still in force.`;
  }
  by("where").setAttribute("aria-invalid", String(wrong !== ""));
  by("where-says").classList.toggle("bad", wrong !== "");
  by("where-says").textContent = wrong || `Settings and figures (${page.figures.map(({ key }) => key).join(", ")}), == != < <= > >= ~ (contains), and, or, not, brackets.`;
}

/** Switches, boxes and menus show the state. */
function followSwitches() {
  by("metric").value = state.metric;
  by("colour").value = state.colour;
  by("filters").querySelectorAll("input[type=checkbox]").forEach((box) => {
    const { name } = box.dataset;
    box.checked = state.wanted.has(name) && state.wanted.get(name).has(box.value);
  });
}

/** Of a coordinate: what is ticked is shown, and everything where nothing is. */
function readFilters() {
  update(() => {
    state.wanted.clear();
    by("filters").querySelectorAll("input:checked").forEach(({ dataset, value }) => {
      if (!state.wanted.has(dataset.name)) state.wanted.set(dataset.name, new Set());
      state.wanted.get(dataset.name).add(value);
    });
  });
}

function clearFilters() {
  by("filters").querySelectorAll("input[type=checkbox]").forEach((box) => { box.checked = false; });
  by("where").value = "";
  readWhere();
  readFilters();
}

function followToolbar() {
  const { length } = shownRuns(), total = page.runs.length;
  by("shown").textContent = total === 1 ? "1 run" : length === total ? `all ${total} runs` : `${length} of ${total} runs`;
  const asked = state.wanted.size + (state.where ? 1 : 0);
  by("filtering").textContent = asked ? `Filter (${asked})` : "Filter";
  by("unselect").hidden = state.selected.size === 0;
  const hidden = state.selected.size - marked().size;
  by("unselect").textContent = `Unselect ${state.selected.size}${hidden ? ` (${hidden} hidden by the filter)` : ""}`;
  const { name, says, better } = figureNow();
  const best = { lower: "lower is better", higher: "higher is better" }[better];
  by("says").textContent = [name, says, best].filter(Boolean).join(": ");
  const inks = valuesOf(state.colour).map((value) => {
    const { colour, shape } = look(state.colour, value);
    const mark = el("span", { "aria-hidden": "true" }, page.shapes[shape]);
    mark.style.color = colour;
    return el("li", {}, mark, value);
  });
  by("legend").replaceChildren(...(inks.length > 1 ? inks : []));
}
