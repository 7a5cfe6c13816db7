// The view in the address of the page: whoever opens that address sees the same, also after the page was written anew.
const ONLY = "only.";
const first = { metric: state.metric, colour: state.colour };  // where the address says nothing

function readView() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const figure = asked.get("figure"), colour = asked.get("colour"), places = new Map(page.runs.map(({ folder, place }) => [folder, place]));
  state.metric = page.figures.some(({ key }) => key === figure) ? figure : first.metric;
  state.colour = page.coordinates.includes(colour) ? colour : first.colour;
  state.selected = new Set(asked.getAll("run").filter((folder) => places.has(folder)).map((folder) => places.get(folder)));
  state.wanted = new Map(page.coordinates.map((name) => [name, new Set(asked.getAll(ONLY + name))]).filter(([, values]) => values.size));
  by("where").value = asked.get("where") || "";
  state.where = null;
  readWhere();
  followSwitches();
}

function writeView() {
  const told = new URLSearchParams();
  const asked = by("where").value.trim();  // also what cannot be applied yet: later runs may have the setting
  if (asked) told.set("where", asked);
  state.wanted.forEach((values, name) => values.forEach((value) => told.append(ONLY + name, value)));
  state.selected.forEach((place) => told.append("run", page.runs[place].folder));
  if (told.toString() || state.metric !== first.metric || state.colour !== first.colour) {
    if (state.metric) told.set("figure", state.metric);  // also this page's first: another may begin with another one
    told.set("colour", state.colour);
  }
  const [address] = location.href.split("#"), view = told.toString();
  if (view !== location.hash.slice(1)) history.replaceState(null, "", view ? `#${view}` : address);
}

function fillView() {
  readView();
  listeners.push(writeView);
  window.addEventListener("hashchange", () => update(readView));
}
