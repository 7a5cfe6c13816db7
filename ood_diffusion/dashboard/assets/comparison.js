// The selected runs side by side, each against the one that was selected first.
const COMPARED = 6, DRAWS = 8;  // runs, and pictures of each, at most
const LETTERS = "ABCDEF";

function followComparison() {
  const visible = shownPlaces();
  const chosen = [...state.selected].filter((place) => visible.has(place)).map((place) => page.runs[place]);
  const runs = chosen.slice(0, COMPARED);
  by("h-comparison").closest("section").hidden = runs.length < 2;
  if (runs.length < 2) return;
  by("comparison-says").textContent = chosen.length > COMPARED ? `The first ${COMPARED} of the ${chosen.length} selected runs.` : "";
  by("comparison").replaceChildren(
    el("ol", { class: "letters" }, runs.map((run) => el("li", {},
      el("button", { type: "button", class: "link", onclick: () => openDrawer(run) }, run.folder)))),
    ...sideBySide("Settings that differ", runs, differing(runs).map(([name, values]) => [name, ...values])),
    ...sideBySide("Figures, and minus A", runs, page.figures.filter(({ key }) => runs.some(({ figures }) => key in figures))
      .map((figure) => [figure.name, ...runs.map((run) => el("span", {}, bounds(run.figures[figure.key] || []),
        run === runs[0] ? null : minusFirst(figure, runs[0], run)))])),
    ...samePictures(runs),
    el("p", { class: "soft" }, "In brackets: 95 % intervals; those of differences are combined from both runs as if they shared no images, which is too wide where they do. ",
      "They are bold where they do not include 0. Paired intervals, where the runs allow them: in the folder of this page execute"),
    el("pre", {}, ["ood-diffusion compare", ...runs.map(({ path }) => path)].join(" ")),
  );
}

function sideBySide(title, runs, rows) {
  if (!rows.length) return [];
  return [el("h3", {}, title), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, el("span", { class: "hidden" }, "name")),
      runs.map((_, i) => el("th", { scope: "col", class: "number" }, LETTERS[i])))),
    el("tbody", {}, rows.map(([name, ...values]) => el("tr", {}, el("th", { scope: "row" }, name),
      values.map((value) => el("td", { class: "number" }, value)))))))];
}

/** Settings that change samples; those inside a choice that differs are left out, for the choice says it. */
function differing(runs) {
  const names = [...new Set([...page.coordinates, ...runs.flatMap(({ config }) => Object.keys(config))])];
  const told = names.filter((name) => page.coordinates.includes(name) || !(name.endsWith(" (group)") || page.beside.includes(name.split(".")[0])))
    .map((name) => [name, runs.map(({ at, config }) => at[name] ?? config[name] ?? page.alike.config[name] ?? "—")])
    .filter(([, values]) => new Set(values).size > 1);
  const choices = new Set(told.map(([name]) => name).filter((name) => page.coordinates.includes(name) && !name.includes(".")));
  return told.filter(([name]) => page.coordinates.includes(name) || !choices.has(name.split(".")[0]));
}

function bounds([value, low, high]) {
  return low === undefined ? number(value) : `${number(value)} [${number(low)}, ${number(high)}]`;
}

/** A figure minus that of the first run, as `claims.combined.minus`; what must not be compared says why. */
function minusFirst({ key, equal }, one, other) {
  const [a, aLow, aHigh] = one.figures[key] || [], [b, bLow, bHigh] = other.figures[key] || [];
  if (a === undefined || b === undefined) return null;
  const [what, path] = Object.entries(equal).find(([, path_]) => one.made[path_] !== other.made[path_]) || [];
  if (what) return el("small", {}, `not compared: ${what} ${one.made[path]} and ${other.made[path]}`);
  const sign = b > a ? "+" : "";
  if (aLow === undefined || bLow === undefined) return el("small", {}, sign + number(b - a));
  const low = b - a - Math.hypot(b - bLow, aHigh - a), high = b - a + Math.hypot(bHigh - b, a - aLow);
  return el("small", {}, el(low > 0 || high < 0 ? "strong" : "span", {}, sign + bounds([b - a, low, high])));
}

function samePictures(runs) {
  const count = Math.min(Math.max(0, ...runs.map(({ pictures }) => (pictures.samples || []).length)), DRAWS);
  if (!count) return [];
  const { draws } = runs[0].made, alike = draws && runs.every(({ made }) => made.draws === draws);
  return [
    el("h3", {}, alike ? "The same draws" : "Samples; columns do not correspond: seed, references or selection differ or are unknown"),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Samples of the compared runs" },
      runs.map((run, i) => el("div", { class: "draws" }, el("span", {}, LETTERS[i]),
        (run.pictures.samples || []).slice(0, count).map((_, place) => picture(run, "samples", place))))),
  ];
}
