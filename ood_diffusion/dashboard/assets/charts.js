// Vega draws; here its charts get their rows, and clicks on them select cells.
const CURVES = {
  eta: ["Fresh noise", "-m +sweep=eta"],
  level: ["Level of the latents", "-m +sweep=level"],
  steps: ["Solver steps", "-m +sweep=steps"],
  n_references: ["Number of references", "-m +sweep=few_shot"],
  few_shot: ["Few references, within a run", "experiment=claims"],
  bandwidth: ["Bandwidth", "-m +sweep=bandwidth"],
  inside: ["A latent turned, at the recommended level", "-m +sweep=bandwidth"],
  capture: ["Capture by the training domain, within a run", "experiment=claims"],
};
const MEASURES = {
  few_shot: "FID ↓",
  bandwidth: "turn that half of the images survive (degrees)",
  inside: "share inside the domain",
  capture: "share captured ↓",
};
const ERRORS = 1;  // all that Vega writes to the console: that a filter leaves a chart empty is nothing to warn of
const BEST = 15;  // rows of a leaderboard that are drawn; its table has all
const views = new Map();  // element -> Vega's view
const sentence = (text, command) => [text, el("code", {}, `ood-diffusion ${command}`), "."];

function fillCharts() {
  const drawn = Object.keys(CURVES).filter(hasCurve);
  by("curves").append(...drawn.map((name) => el("figure", {},
    el("figcaption", {}, el("strong", {}, CURVES[name][0])), el("div", { class: "chart", "data-chart": name }))));
  by("absent").append(...Object.keys(CURVES).filter((name) => !drawn.includes(name)).map((name) => {
    const why = name in MEASURES ? "no cell has measured it" : `no two cells differ in ${name}`;
    return el("li", {}, sentence(`${CURVES[name][0]}: ${why}; to have it: `, CURVES[name][1]));
  }));
  if (!page.cells.some((cell) => cell.gap)) {
    document.querySelector("[data-chart=gap_scatter]").replaceWith(
      el("p", { class: "none" }, sentence("No cell has measured the domain gap; to have it: ", "-m +sweep=bandwidth")));
  }
  const boards = new Map(page.standings.rows.map((row) => [boardOf(row), row]));
  by("forests").append(...[...boards].map(([name, row]) => el("figure", {},
    el("figcaption", {}, el("strong", {}, `${row.domain}, drawn by ${row.model}`), `the best ${BEST} of those shown`),
    el("div", { class: "chart", "data-chart": "forest", "data-board": name }))));
  listeners.push(() => { feed(); });
  darkness.addEventListener("change", () => { update(() => {}); draw(); });
}

function boardOf(row) {
  return `${row.model}\n${row.domain}`;
}

function hasCurve(name) {
  if (name in MEASURES) return page.cells.some((cell) => cell.curves[name]);
  return page.figures.some(({ key }) =>
    new Set(page.cells.filter((cell) => key in cell.figures && name in cell.x).map((cell) => cell.x[name])).size > 1);
}

let drawing = 0;  // how many times charts are being drawn just now

function busy(more) {
  drawing += more;
  by("main").setAttribute("aria-busy", String(drawing > 0));
}

let queue = Promise.resolve();

/** (Re)draw every chart, in the theme of the moment, once what is being drawn is there: two would mix in one place. */
function draw() {
  busy(1);
  queue = queue.then(drawAll, drawAll).finally(() => busy(-1));
}

async function drawAll() {
  for (const place of document.querySelectorAll(".chart")) {
    if (views.has(place)) views.get(place).finalize();
    views.delete(place);
    place.closest("figure").hidden = false;  // what is not laid out has no width
    const chart = page.charts[place.dataset.chart];
    const data = chart.data.map((set) => (set.name === "rows" ? { ...set, values: rowsOf(place) } : set));
    const { view } = await vegaEmbed(place, { ...chart, data }, {
      actions: false, ast: true, renderer: "svg", config: theme().config,
      logLevel: ERRORS, mode: "vega", tooltip: { theme: darkness.matches ? "dark" : "light" },
    });
    views.set(place, view);
    place.querySelector("svg").setAttribute("aria-label", place.closest("figure").querySelector("figcaption").textContent);
    view.addEventListener("click", (_, item) => clicked(item && item.datum));
  }
  await feed();
}

/** Hand every chart its rows and what is switched on the page. */
async function feed() {
  busy(1);
  await Promise.all([...views].map(([place, view]) => {
    const { name, better } = figureNow();
    const metric = MEASURES[place.dataset.chart] || name;
    const rows = rowsOf(place);
    place.closest("figure").hidden = "board" in place.dataset && rows.length === 0;
    return view.data("rows", rows).signal("metric", metric).signal("lower", better === "lower")
      .signal("selected", [...state.selected]).signal("ink", theme().ink).runAsync();
  }));
  busy(-1);
}

function clicked(datum) {
  if (!datum) return;
  if ("cell" in datum) toggle([datum.cell]);
  else if ("shade" in datum) {
    toggle(shownCells().filter(({ at }) => at.model === datum.model && at.domain === datum.domain).map(({ place }) => place));
  } else if ("fid_low" in datum) toggle(cellsOf(datum));
}

function rowsOf({ dataset: { chart, board } }) {
  if (chart === "forest") {
    const { series } = theme();
    return shownStandings().filter((row) => boardOf(row) === board).slice(0, BEST)
      .map((row) => ({ ...row, colour: series[row.tied ? 0 : 1], shape: row.tied ? "circle" : "square" }));
  }
  return shownCells().flatMap((cell) => {
    const told = { cell: cell.place, label: cell.label, ...look(state.colour, cell.at[state.colour]) };
    if (chart in MEASURES) {
      return (cell.curves[chart] || []).map(([x, value, low, high]) => ({ ...told, x, value, low, high, group: cell.place }));
    }
    const [value, low, high] = cell.figures[state.metric] || [];
    const row = { ...told, value, low, high };
    if (chart === "heat_map") return { ...row, model: cell.at.model, domain: cell.at.domain };
    if (chart === "gap_scatter") {
      const [gap, gap_low, gap_high] = cell.gap || [];
      return { ...row, gap, gap_low, gap_high };
    }
    const others = Object.entries(cell.at).filter(([name]) => name !== chart && name !== "seed");
    return chart in cell.x ? { ...row, x: cell.x[chart], group: JSON.stringify(others) } : [];
  });
}
