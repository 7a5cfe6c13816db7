// Vega draws; here its charts get their rows, and clicks on them select runs.
const CURVES = {
  eta: ["Fresh noise", "-m +sweep=eta"],
  level: ["Level of the latents", "-m +sweep=level"],
  steps: ["Solver steps", "-m +sweep=steps"],
  n_references: ["Number of references", "-m +sweep=few_shot"],
  few_shot: ["Few references, within a run", "experiment=claims"],
  bandwidth: ["Bandwidth", "-m +sweep=bandwidth"],
  inside: ["Rotation of latents, at the recommended level", "-m +sweep=bandwidth"],
  capture: ["Capture by the training domain, within a run", "experiment=claims"],
};
const MEASURES = {
  few_shot: "FID ↓",
  bandwidth: "rotation that half of the images survive (degrees)",
  inside: "fraction inside the domain",
  capture: "fraction captured ↓",
};
const ERRORS = 1;  // all that Vega writes to the console: that a filter leaves a chart empty is nothing to warn of
const BEST = 15;  // rows of a leaderboard that are drawn; its table has all
const GAP = "-m +sweep=domain_gap 'stages=[invert,reconstruct,sample,evaluate,bandwidth,report]'";
const views = new Map();  // element -> Vega's view
const sentence = (text, command) => [text, el("code", {}, `ood-diffusion ${command}`), "."];

function fillCharts() {
  const drawn = Object.keys(CURVES).filter(hasCurve);
  by("curves").append(...drawn.map((name) => el("figure", {},
    el("figcaption", {}, el("strong", {}, CURVES[name][0])), el("div", { class: "chart", "data-chart": name }))));
  by("absent").append(...Object.keys(CURVES).filter((name) => !drawn.includes(name)).map((name) => {
    const why = name in MEASURES ? "not measured by any run" : `no two runs differ in ${name}`;
    return el("li", {}, sentence(`${CURVES[name][0]}: ${why}. To add it: `, CURVES[name][1]));
  }));
  if (!page.figures.length) {
    by("h-gap").closest("section").hidden = true;
    by("h-gap").closest("section").querySelector(".charts").remove();
  } else if (!page.runs.some((run) => run.gap)) {
    document.querySelector("[data-chart=gap_scatter]").replaceWith(el("p", { class: "none" },
      sentence("No run has measured the domain gap. Add the stage bandwidth, for example: ", GAP)));
  }
  if (!page.figures.length || page.coordinates.every((name) => valuesOf(name).length < 2)) {
    by("h-settings").closest("section").remove();
  }
  const boards = new Map(page.standings.rows.map((row) => [boardOf(row), row]));
  by("forests").append(...[...boards].map(([name, row]) => el("figure", {},
    el("figcaption", {}, el("strong", {}, `${row.domain}, drawn by ${row.model}`), el("span", {})),
    el("div", { class: "chart", "data-chart": "forest", "data-board": name }))));
  document.querySelectorAll(".chart").forEach((place) => place.after(saveButtons(place)));
  listeners.push(() => { feed(); });
  darkness.addEventListener("change", () => { update(() => {}); draw(); });
}

function boardOf(row) {
  return `${row.model}\n${row.domain}`;
}

function hasCurve(name) {
  if (name in MEASURES) return page.runs.some((run) => run.curves[name]);
  return page.figures.some(({ key }) =>
    new Set(page.runs.filter((run) => key in run.figures && name in run.x).map((run) => run.x[name])).size > 1);
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
    const description = place.closest("figure").querySelector("figcaption").textContent;
    const { view } = await vegaEmbed(place, { ...chart, data, description }, {
      actions: false, ast: true, renderer: "svg", config: theme().config,
      logLevel: ERRORS, mode: "vega", tooltip: { theme: darkness.matches ? "dark" : "light" },
    });
    views.set(place, view);
    view.addEventListener("click", (_, item) => clicked(item && item.datum));
  }
  await feed();
}

/** Hand every chart its rows and what is switched on the page. */
async function feed() {
  busy(1);
  const fed = [...views].map(([place, view]) => [place, view, rowsOf(place)]);
  fed.forEach(([place, , rows]) => showBoard(place, rows));  // all of them first: they share a row of the page
  await Promise.all(fed.map(([place, view, rows]) => {
    const { name, better } = figureNow();
    const metric = MEASURES[place.dataset.chart] || name;
    if (place.dataset.chart === "importance") place.closest("figure").hidden = !rows.length;
    if (place.dataset.chart === "heat_map") view.signal("y_step", tileHeight(place, rows));
    if (place.clientWidth) view.signal("width", place.clientWidth);  // Vega looks when the window changes only
    return view.data("rows", rows).signal("metric", metric).signal("lower", better === "lower")
      .signal("selected", marked().size > 0).signal("ink", theme().ink).runAsync();
  }));
  busy(-1);
}

/** Of the heat map: where another chart is beside it, its tiles share that one's height. */
function tileHeight(place, rows) {
  const figure = place.closest("figure"), { nextElementSibling: next } = figure;
  const tall = next && next.querySelector("svg") && next.offsetTop === figure.offsetTop;
  return Math.max(48, tall ? Math.min(280 / new Set(rows.map(({ domain }) => domain)).size, 140) : 0);
}

/** A board of which no row is shown is hidden; one with too many says so. */
function showBoard(place, rows) {
  if (!("board" in place.dataset)) return;
  const figure = place.closest("figure");
  figure.hidden = rows.length === 0;
  const all = shownStandings().filter((row) => boardOf(row) === place.dataset.board).length;
  figure.querySelector("figcaption span").textContent = all > BEST ? `the best ${BEST} of the ${all} shown` : "";
}

function clicked(datum) {
  if (!datum) return;
  if ("run" in datum) toggle([datum.run]);
  else if ("shade" in datum) {
    toggle(shownRuns().filter(({ at }) => at.model === datum.model && at.domain === datum.domain).map(({ place }) => place));
  } else if ("fid_low" in datum) toggle(runsOf(datum));
}
