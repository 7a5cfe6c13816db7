// What a chart draws: one row per run that is shown, per point of its curve, or per way of the leaderboard.
function rowsOf({ dataset: { chart, board } }) {
  const marks = marked();
  const faded = (places) => Number(marks.size > 0 && !places.some((place) => marks.has(place)));
  if (chart === "forest") {
    const { ink, card } = theme();
    return shownStandings().filter((row) => boardOf(row) === board).slice(0, BEST)
      .map((row) => ({ ...row, colour: ink, fill: row.tied ? ink : card, faded: faded(runsOf(row)) }));
  }
  if (chart === "importance") return importances();
  if (chart === "parallel") return parallels(faded);
  return shownRuns().flatMap((run) => {
    const told = { run: run.place, label: run.label, faded: faded([run.place]), ...look(state.colour, run.at[state.colour]) };
    if (chart in MEASURES) {
      return (run.curves[chart] || []).map(([x, value, low, high]) => ({ ...told, x, value, low, high, group: run.place }));
    }
    const [value, low, high] = run.figures[state.metric] || [];
    const row = { ...told, value, low, high };
    if (chart === "heat_map") return { ...row, model: run.at.model, domain: run.at.domain };
    if (chart === "gap_scatter") {
      const [gap, gap_low, gap_high] = run.gap || [];
      return { ...row, gap, gap_low, gap_high };
    }
    const others = Object.entries(run.at).filter(([name]) => name !== chart && name !== "seed");
    return chart in run.x ? { ...row, x: run.x[chart], group: JSON.stringify(others) } : [];
  });
}

/**
 * Of each setting, the share of the figure's variance between the means of its values, less what as many values
 * explain by chance (adjusted R² of a one-way analysis of variance); the largest first. None where each value has one run.
 */
function importances() {
  const runs = shownRuns().filter(({ figures }) => state.metric in figures);
  const spread = (values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  };
  const found = runs.map(({ figures }) => figures[state.metric][0]), all = spread(found);
  if (new Set(found).size < 2) return [];
  return page.coordinates.flatMap((setting) => {
    const groups = valuesOf(setting).map((value) => runs.filter(({ at }) => at[setting] === value)
      .map(({ figures }) => figures[state.metric][0])).filter(({ length }) => length);
    const values = groups.length, count = runs.length;
    if (values < 2 || count <= values) return [];
    const within = groups.reduce((sum, group) => sum + spread(group), 0);
    return [{ setting, share: Math.max(0, 1 - within / (count - values) / (all / (count - 1))), values, runs: count }];
  }).sort((a, b) => b.share - a.share);
}

const MOST_AXES = 6, MOST_TICKS = 8;
const MANY = 60;  // lines, from which on they are see-through

/** Lines through the settings in which the shown runs differ, those that explain most of the figure nearest to it. */
function parallels(faded) {
  const runs = shownRuns().filter(({ figures }) => state.metric in figures);
  const shares = new Map(importances().map(({ setting, share }) => [setting, share]));
  const names = page.coordinates.filter((name) => new Set(runs.map(({ at }) => at[name])).size > 1)
    .sort((a, b) => (shares.get(b) || 0) - (shares.get(a) || 0)).slice(0, window.innerWidth < 600 ? 3 : MOST_AXES).reverse();
  const found = runs.map(({ figures }) => figures[state.metric][0]), low = Math.min(...found), high = Math.max(...found);
  const axes = [...names.map((name) => {
    const there = valuesOf(name).filter((value) => runs.some(({ at }) => at[name] === value));
    const every = Math.ceil(there.length / MOST_TICKS), up = (value) => there.indexOf(value) / (there.length - 1);
    return { name, y: ({ at }) => up(at[name]), ticks: there.filter((_, i) => i % every === 0).map((value) => [up(value), value]) };
  }), {
    name: figureNow().name,
    y: ({ figures }) => (high > low ? (figures[state.metric][0] - low) / (high - low) : 0.5),
    ticks: high > low ? [0, 0.5, 1].map((y) => [y, number(low + y * (high - low))]) : [[0.5, number(low)]],
  }];
  return axes.flatMap(({ name, y, ticks }, place) => [
    ...runs.map((run) => ({ axis: name, place, y: y(run), run: run.place, label: run.label,
      strength: faded([run.place]) ? 0.08 : runs.length > MANY ? 0.25 : 0.75, ...look(state.colour, run.at[state.colour]) })),
    ...ticks.map(([at, tick]) => ({ axis: name, place, y: at, tick })),
  ]);
}
