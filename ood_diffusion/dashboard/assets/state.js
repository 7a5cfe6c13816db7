// What is shown, and who is told when that changes.
const page = JSON.parse(document.getElementById("data").textContent);
const known = new Map();  // coordinate -> its values
page.runs.forEach((run, place) => { run.place = place; run.label = labelOf(run); });

const state = {
  metric: (page.figures.find((figure) => figure.key === "fid") || page.figures[0] || {}).key,
  colour: page.coordinates.find((name) => valuesOf(name).length > 1) || page.coordinates[0],
  wanted: new Map(),    // coordinate -> the values that are let through; a coordinate that is not here: all
  where: null,          // what else is asked of a run, as a function: null lets all through
  selected: new Set(),  // places of runs, the first selected first
};
const listeners = [];
let shown = null;  // runs and their places, found once per change

/** Run `change`, then have every part of the page follow. */
function update(change) {
  change();
  shown = null;
  listeners.forEach((listener) => listener());
}

function labelOf(run) {
  const told = Object.entries(run.at).filter(([name]) => valuesOf(name).length > 1).map(([name, value]) =>
    ["model", "domain", "sampler", "prior", "selection", "solver"].includes(name) ? value : `${name}=${value}`);
  return told.join(" · ") || run.folder;
}

/** Values of a coordinate over all runs, numbers in their order. */
function valuesOf(name) {
  if (!known.has(name)) {
    known.set(name, [...new Set(page.runs.map((run) => run.at[name]))]
      .sort((a, b) => a - b || a.localeCompare(b, "en", { numeric: true })));
  }
  return known.get(name);
}

/** Whether a row of coordinates passes the filters; a coordinate that it does not have is let through. */
function passes(at) {
  return [...state.wanted].every(([name, values]) => !(name in at) || values.has(at[name]));
}

function lookAt() {
  if (!shown) {
    const runs = page.runs.filter((run) => passes(run.at) && (!state.where || state.where(run)));
    shown = { runs, places: new Set(runs.map(({ place }) => place)) };
  }
  return shown;
}

function shownRuns() {
  return lookAt().runs;
}

function shownPlaces() {
  return lookAt().places;
}

function figureNow() {
  return page.figures.find((figure) => figure.key === state.metric) || { key: "", name: "", better: "", says: "" };
}

/** Places of the runs that are selected and shown: one that a filter hides marks nothing. */
function marked() {
  return new Set([...state.selected].filter((place) => shownPlaces().has(place)));
}

/** Select runs, or no longer, if all of them are. */
function toggle(places) {
  update(() => {
    const drop = places.every((place) => state.selected.has(place));
    places.forEach((place) => (drop ? state.selected.delete(place) : state.selected.add(place)));
  });
}

/** Colour and shape of a category: both go round, so that pairs come back late. */
function look(name, value) {
  const i = Math.max(valuesOf(name).indexOf(value), 0);
  const shapes = Object.keys(page.shapes);
  const { series } = theme();
  return { colour: series[i % series.length], shape: shapes[i % shapes.length] };
}

const darkness = window.matchMedia("(prefers-color-scheme: dark)");

function theme() {
  return darkness.matches ? page.themes.dark : page.themes.light;
}

/** Four significant digits; an em dash for what is missing. */
function number(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "—" : String(value);
  return new Intl.NumberFormat("en", { maximumSignificantDigits: Math.abs(value) >= 1000 ? 6 : 4 })
    .format(Math.abs(value) >= 1000 ? Math.round(value) : value).replace("-", "−");
}

/** An element; attributes that begin with "on" are listeners, children that are no nodes become text. */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== ""));
  return made;
}

function by(id) {
  return document.getElementById(id);
}
