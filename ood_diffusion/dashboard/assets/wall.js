// Pictures of the selected cells, each beside what it must be compared with.
const KINDS = { references: "references", reconstructions: "reconstructions", samples: "samples", nearest: "nearest references" };
const PAIRS = [["samples", "nearest"], ["references", "reconstructions"]];
const UNSELECTED = 4, MOST = 24;  // cells on the wall where none is selected, and at most
const hiddenKinds = new Set();

function fillWall() {
  by("kinds").append(...Object.entries(KINDS).map(([kind, name]) => el("label", {},
    el("input", { type: "checkbox", checked: true, onchange: ({ target }) => update(() =>
      (target.checked ? hiddenKinds.delete(kind) : hiddenKinds.add(kind))) }), name)));
  listeners.push(followWall);
}

function followWall() {
  const shown = shownCells().filter((cell) => Object.keys(cell.pictures).length);
  const marks = marked();
  const chosen = marks.size ? shown.filter((cell) => marks.has(cell.place)) : shown;
  const cells = chosen.slice(0, marks.size ? MOST : UNSELECTED);
  by("wall-says").textContent = !shown.length ? "None of these runs has pictures; the stage report writes them."
    : `${cells.length} of ${chosen.length} ${marks.size ? "selected runs" : "runs; select some to see theirs"}.`;
  by("kinds").hidden = !shown.length;
  by("wall").replaceChildren(...cells.map((cell) => el("article", { class: "cell" },
    el("header", {}, el("h3", {}, cell.label), el("button", { type: "button", class: "link", onclick: () => openDrawer(cell) }, "details")),
    strips(cell))));
}

/** A strip per pair of kinds: the second kind under the first. */
function strips(cell) {
  return PAIRS.map((pair) => {
    const kinds = pair.filter((kind) => cell.pictures[kind] && !hiddenKinds.has(kind));
    if (!kinds.length) return null;
    const length = Math.max(...kinds.map((kind) => cell.pictures[kind].length));
    const under = { nearest: "its nearest reference", reconstructions: "its reconstruction" }[kinds[1]];
    return el("div", { class: "strip" }, el("h4", {}, KINDS[kinds[0]] + (under ? `, each above ${under}` : "")), el("ul", { class: "pairs" }, Array.from({ length }, (_, i) => el("li", {}, kinds.map((kind) => picture(cell, kind, i))))));
  }).filter(Boolean);
}

function picture(cell, kind, i) {
  const place = cell.pictures[kind][i];
  if (place === undefined) return "";
  const what = { references: "reference", reconstructions: "reconstruction of reference", samples: "sample", nearest: "reference nearest to sample" };
  return el("img", { src: `data:image/webp;base64,${page.images[place]}`, alt: `${what[kind]} ${i + 1}`, title: `${what[kind]} ${i + 1}` });
}
