// Every chart as a file: a picture in the theme of the moment, or the rows that it draws.
const UNSAVED = ["run", "faded", "colour", "shape", "fill", "group", "label", "at", "rank", "tied", "made_of", "place", "strength"];  // what is drawn, not found

function saveButtons(place) {
  const title = place.closest("figure").querySelector("figcaption").textContent;
  return el("p", { class: "save soft" }, "Save as ", ["CSV", "SVG", "PNG"].map((kind) =>
    el("button", { type: "button", class: "link", "data-save": kind, "aria-label": `Save as ${kind}: ${title}`, onclick: () => save(place, kind) }, kind)));
}

async function save(place, kind) {
  if (!views.has(place)) return;  // it is being drawn
  const { chart, board = "" } = place.dataset;
  const name = [chart, ...board.split("\n"), MEASURES[chart] || chart === "forest" ? "" : state.metric].filter(Boolean).join("_");
  const url = kind === "CSV" ? URL.createObjectURL(new Blob([csvOf(rowsOf(place))], { type: "text/csv" })) : await imageOf(views.get(place), kind);
  el("a", { href: url, download: `${name.replace(/[^\w.-]+/g, "_")}.${kind.toLowerCase()}` }).click();
}

async function imageOf(view, kind) {
  const before = view.background();
  view.background(theme().card);
  const url = await view.toImageURL(kind.toLowerCase(), kind === "PNG" ? 2 : 1);
  view.background(before);
  return url;
}

/** Rows as comma-separated values: the run and all its settings first. */
function csvOf(rows) {
  const drawn = rows.filter((row) => !("tick" in row) && !("value" in row && row.value === undefined));
  const told = drawn.map((row) => ({
    ..."run" in row ? { run: page.runs[row.run].folder, ...page.runs[row.run].at } : "label" in row ? { way: row.label } : {},
    ...Object.fromEntries(Object.entries(row).filter(([name]) => !UNSAVED.includes(name))),
  }));
  const names = [...new Set(told.flatMap(Object.keys))];
  const field = (value) => (/[",\r\n]/.test(String(value ?? "")) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? ""));
  return [names, ...told.map((row) => names.map((name) => row[name]))].map((line) => `${line.map(field).join(",")}\n`).join("");
}
