// What a chart draws: one row per cell that is shown, per point of its curve, or per way of the leaderboard.
function rowsOf({ dataset: { chart, board } }) {
  const marks = marked();
  const faded = (places) => Number(marks.size > 0 && !places.some((place) => marks.has(place)));
  if (chart === "forest") {
    const { ink, card } = theme();
    return shownStandings().filter((row) => boardOf(row) === board).slice(0, BEST)
      .map((row) => ({ ...row, colour: ink, fill: row.tied ? ink : card, faded: faded(cellsOf(row)) }));
  }
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
