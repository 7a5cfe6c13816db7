// Pictures of the selected runs, each beside what it must be compared with.
const KINDS = { references: "references", reconstructions: "reconstructions", samples: "samples", nearest: "nearest references" };
const PAIRS = [["samples", "nearest"], ["references", "reconstructions"]];
const UNSELECTED = 4, MOST = 24;  // runs on the wall where none is selected, and at most
const hiddenKinds = new Set();

function fillWall() {
  by("kinds").append(...Object.entries(KINDS).map(([kind, name]) => el("label", {},
    el("input", { type: "checkbox", checked: true, onchange: ({ target }) => update(() =>
      (target.checked ? hiddenKinds.delete(kind) : hiddenKinds.add(kind))) }), name)));
  listeners.push(followWall);
}

function followWall() {
  const shown = shownRuns().filter((run) => Object.keys(run.pictures).length);
  const marks = marked();
  const chosen = marks.size ? shown.filter((run) => marks.has(run.place)) : shown;
  const runs = chosen.slice(0, marks.size ? MOST : UNSELECTED);
  by("wall-says").textContent = !shown.length ? "None of these runs has pictures; the stage report writes them."
    : `${runs.length} of ${chosen.length} ${marks.size ? "selected runs" : "runs; select some to see theirs"}.`;
  by("kinds").hidden = !shown.length;
  by("wall").replaceChildren(...runs.map((run) => el("article", { class: "run" },
    el("header", {}, el("h3", {}, run.label), el("button", { type: "button", class: "link", onclick: () => openDrawer(run) }, "details")),
    strips(run))));
}

/** A strip per pair of kinds: the second kind under the first. */
function strips(run) {
  return PAIRS.map((pair) => {
    const kinds = pair.filter((kind) => run.pictures[kind] && !hiddenKinds.has(kind));
    if (!kinds.length) return null;
    const length = Math.max(...kinds.map((kind) => run.pictures[kind].length));
    const under = { nearest: "its nearest reference", reconstructions: "its reconstruction" }[kinds[1]];
    return el("div", { class: "strip" }, el("h4", {}, KINDS[kinds[0]] + (under ? `, each above ${under}` : "")), el("ul", { class: "pairs" }, Array.from({ length }, (_, i) => el("li", {}, kinds.map((kind) => picture(run, kind, i))))));
  }).filter(Boolean);
}

function picture(run, kind, i) {
  const place = run.pictures[kind][i];
  if (place === undefined) return "";
  const what = { references: "reference", reconstructions: "reconstruction of reference", samples: "sample", nearest: "reference nearest to sample" };
  return el("img", { src: `data:image/webp;base64,${page.images[place]}`, alt: `${what[kind]} ${i + 1}`, title: `${what[kind]} ${i + 1}` });
}
