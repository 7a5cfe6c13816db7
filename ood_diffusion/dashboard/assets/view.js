// The view in the address of the page: whoever opens that address sees the same, also after the page was written anew.
const ONLY = "only.";
const first = { metric: state.metric, colour: state.colour };  // what is not said

function readView() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const figure = asked.get("figure"), colour = asked.get("colour"), places = new Map(page.cells.map(({ folder, place }) => [folder, place]));
  state.metric = page.figures.some(({ key }) => key === figure) ? figure : first.metric;
  state.colour = page.coordinates.includes(colour) ? colour : first.colour;
  state.selected = new Set(asked.getAll("run").filter((folder) => places.has(folder)).map((folder) => places.get(folder)));
  state.wanted = new Map(page.coordinates.map((name) => [name, new Set(asked.getAll(ONLY + name))]).filter(([, values]) => values.size));
  by("where").value = asked.get("where") || "";
  readWhere();
  followSwitches();
}

function writeView() {
  const told = new URLSearchParams();
  if (state.metric && state.metric !== first.metric) told.set("figure", state.metric);
  if (state.colour !== first.colour) told.set("colour", state.colour);
  if (state.expression) told.set("where", state.expression);
  state.wanted.forEach((values, name) => values.forEach((value) => told.append(ONLY + name, value)));
  state.selected.forEach((place) => told.append("run", page.cells[place].folder));
  const [address] = location.href.split("#"), view = told.toString();
  if (view !== location.hash.slice(1)) history.replaceState(null, "", view ? `#${view}` : address);
}

function fillView() {
  readView();
  listeners.push(writeView);
  window.addEventListener("hashchange", () => update(readView));
}
