// What a chart draws: one row per cell that is shown, per point of its curve, or per way of the leaderboard.
function rowsOf({ dataset: { chart, board } }) {
  const marks = marked();
  const faded = (places) => Number(marks.size > 0 && !places.some((place) => marks.has(place)));
  if (chart === "forest") {
    const { ink, card } = theme();
    return shownStandings().filter((row) => boardOf(row) === board).slice(0, BEST)
      .map((row) => ({ ...row, colour: ink, fill: row.tied ? ink : card, faded: faded(cellsOf(row)) }));
  }
  if (chart === "importance") return importances();
  if (chart === "parallel") return parallels(faded);
  return shownCells().flatMap((cell) => {
    const told = { cell: cell.place, label: cell.label, faded: faded([cell.place]), ...look(state.colour, cell.at[state.colour]) };
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

/**
 * Of each setting, the share of the figure's variance between the means of its values, less what as many values
 * explain by chance (adjusted R² of a one-way analysis of variance); the largest first. None where each value has one run.
 */
function importances() {
  const cells = shownCells().filter(({ figures }) => state.metric in figures);
  const spread = (values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  };
  const found = cells.map(({ figures }) => figures[state.metric][0]), all = spread(found);
  if (new Set(found).size < 2) return [];
  return page.coordinates.flatMap((setting) => {
    const groups = valuesOf(setting).map((value) => cells.filter(({ at }) => at[setting] === value)
      .map(({ figures }) => figures[state.metric][0])).filter(({ length }) => length);
    const values = groups.length, runs = cells.length;
    if (values < 2 || runs <= values) return [];
    const within = groups.reduce((sum, group) => sum + spread(group), 0);
    return [{ setting, share: Math.max(0, 1 - within / (runs - values) / (all / (runs - 1))), values, runs }];
  }).sort((a, b) => b.share - a.share);
}

const MOST_AXES = 6, MOST_TICKS = 8;
const MANY = 60;  // lines, from which on they are see-through

/** Lines through the settings in which the shown runs differ, those that explain most of the figure nearest to it. */
function parallels(faded) {
  const cells = shownCells().filter(({ figures }) => state.metric in figures);
  const shares = new Map(importances().map(({ setting, share }) => [setting, share]));
  const names = page.coordinates.filter((name) => new Set(cells.map(({ at }) => at[name])).size > 1)
    .sort((a, b) => (shares.get(b) || 0) - (shares.get(a) || 0)).slice(0, window.innerWidth < 600 ? 3 : MOST_AXES).reverse();
  const found = cells.map(({ figures }) => figures[state.metric][0]), low = Math.min(...found), high = Math.max(...found);
  const axes = [...names.map((name) => {
    const there = valuesOf(name).filter((value) => cells.some(({ at }) => at[name] === value));
    const every = Math.ceil(there.length / MOST_TICKS), up = (value) => there.indexOf(value) / (there.length - 1);
    return { name, y: ({ at }) => up(at[name]), ticks: there.filter((_, i) => i % every === 0).map((value) => [up(value), value]) };
  }), {
    name: figureNow().name,
    y: ({ figures }) => (high > low ? (figures[state.metric][0] - low) / (high - low) : 0.5),
    ticks: high > low ? [0, 0.5, 1].map((y) => [y, number(low + y * (high - low))]) : [[0.5, number(low)]],
  }];
  return axes.flatMap(({ name, y, ticks }, place) => [
    ...cells.map((cell) => ({ axis: name, place, y: y(cell), cell: cell.place, label: cell.label,
      strength: faded([cell.place]) ? 0.08 : cells.length > MANY ? 0.25 : 0.75, ...look(state.colour, cell.at[state.colour]) })),
    ...ticks.map(([at, tick]) => ({ axis: name, place, y: at, tick })),
  ]);
}
