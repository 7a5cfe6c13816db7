// Tables that can be sorted by any column.
const sorting = {};  // id of a table -> [column, ascending]
const MOST_ROWS = 200;  // of a table, until all are asked for
const whole = new Set();  // ids of tables of which all rows were asked for

/**
 * Fill a table. A column has a name, a head and whether it holds numbers; a row has values by the names of columns
 * and may have, by name, nodes to show in their place.
 */
function fillTable(id, columns, rows) {
  const [by_, ascending] = sorting[id] || [];
  const all = by_ ? [...rows].sort((a, b) => compare(a.values[by_], b.values[by_], ascending)) : rows;
  const sorted = whole.has(id) ? all : all.slice(0, MOST_ROWS);
  const heads = columns.map(({ name, head, numeric, fixed }) => {
    const sort = name === by_ ? (ascending ? "ascending" : "descending") : null;
    const arrow = sort ? (ascending ? " ▴" : " ▾") : "";
    const change = () => {
      sorting[id] = [name, name === by_ ? !ascending : true];
      update(() => {});
      by(id).querySelector(`button[data-column="${CSS.escape(name)}"]`).focus();
    };
    return el("th", { scope: "col", class: numeric ? "number" : null, "aria-sort": sort },
      fixed ? el("span", { class: "hidden" }, head)
        : el("button", { type: "button", "data-column": name, onclick: change }, head + arrow));
  });
  by(id).replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, sorted.map((row) =>
    el("tr", { class: row.selected ? "selected" : null }, columns.map(({ name, numeric }) =>
      el("td", { class: numeric ? "number" : null }, (row.nodes || {})[name] || number(row.values[name]))))))));
  if (sorted.length < all.length) {
    by(id).append(el("button", { type: "button", class: "more", onclick: () => { whole.add(id); update(() => {}); } },
      `Show all ${all.length} rows`));
  }
}

/** Missing values last, whatever the direction. */
function compare(a, b, ascending) {
  const missing = (value) => value === null || value === undefined || value === "—";
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  const order = typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), "en", { numeric: true });
  return ascending ? order : -order;
}

function fillTables() {
  for (const id of ["find-board", "find-runs"]) by(id).addEventListener("input", () => update(() => {}));
  listeners.push(followBoard, followRuns);
}

function found(id, texts) {
  const words = by(id).value.toLowerCase().split(/\s+/).filter(Boolean);
  const all = texts.join(" ").toLowerCase();
  return words.every((word) => all.includes(word));
}

function shownStandings() {
  return page.standings.rows.filter((row) => passes(row.at) && (!state.where || runsOf(row).length) && found("find-board", Object.values(row.at)));
}

/** Places of the runs that a row of the leaderboard is made of. */
function runsOf(row) {
  row.made_of ??= page.runs.filter(({ at, figures }) => "fid" in figures
    && Object.entries(row.at).every(([name, value]) => !(name in at) || at[name] === value)).map(({ place }) => place);
  return row.made_of.filter((place) => shownPlaces().has(place));
}

function followBoard() {
  const { columns } = page.standings;
  const texts = ["model", "domain", "sampler", "prior", "selection"];
  const heads = Object.entries(columns).map(([name, head]) => ({ name, head, numeric: !texts.includes(name) }));
  const rows = shownStandings().map((row) => {
    const half = (row.fid_high - row.fid_low) / 2;
    const mine = runsOf(row), way = page.standings.rows.indexOf(row);
    const change = () => {
      toggle(mine);
      by("board").querySelector(`[data-way="${way}"]`).focus();
    };
    return {
      values: row,
      selected: mine.length > 0 && mine.every((place) => state.selected.has(place)),
      nodes: {
        rank: el("span", {}, `${row.rank}${row.tied ? " =" : ""}`),
        sampler: el("button", { type: "button", class: "link", "data-way": way, onclick: change }, row.sampler),
        fid: el("span", {}, `${number(row.fid)} ± ${number(half)}`),
      },
    };
  });
  if (page.standings.rows.length) fillTable("board", heads, rows);
  else by("board").replaceChildren(el("p", { class: "none" }, "No run has an FID with its interval; the stage evaluate computes it."));
}

function followRuns() {
  const some = page.runs.some((run) => run.status !== "complete");
  const columns = [
    { name: "tick", head: "selected", fixed: true }, { name: "folder", head: "run" },
    ...(some ? [{ name: "status", head: "status" }] : []),
    ...page.coordinates.map((name) => ({ name: `at ${name}`, head: name })),
    ...page.figures.map(({ key, name }) => ({ name: key, head: name, numeric: true })),
  ];
  const rows = shownRuns().filter((run) => found("find-runs", [run.folder, run.status, ...Object.values(run.at)]))
    .map((run) => ({
      selected: state.selected.has(run.place),
      values: {
        folder: run.folder, status: run.status,
        ...Object.fromEntries(Object.entries(run.at).map(([name, value]) => [`at ${name}`, value])),
        ...Object.fromEntries(Object.entries(run.figures).map(([key, [value]]) => [key, value])),
      },
      nodes: {
        tick: el("input", { type: "checkbox", "data-tick": run.place, "aria-label": `select ${run.folder}: ${run.label}`,
          checked: state.selected.has(run.place), onchange: () => tick(run) }),
        folder: el("button", { type: "button", class: "link", "data-open": run.place, onclick: () => openDrawer(run) }, run.folder),
        ...(run.status === "complete" ? {} : { status: el("span", { class: "bad" }, run.status) }),
      },
    }));
  fillTable("runs", columns, rows);
}

function tick(run) {
  toggle([run.place]);
  by("runs").querySelector(`[data-tick="${run.place}"]`).focus();
}
