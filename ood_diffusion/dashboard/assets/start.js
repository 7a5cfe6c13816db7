// Charts first get their places, then everything follows the state once.
fillToolbar();
fillCharts();
fillTables();
fillWall();
fillDrawer();
listeners.push(followComparison);
fillView();
update(() => {});
draw();
if (page.again) {
  setInterval(() => {
    if (!by("drawer").open && !document.activeElement.matches("input[type=search]")) location.reload();
  }, 1000 * page.again);
}
