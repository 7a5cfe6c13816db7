// Charts first get their places, then everything follows the state once.
fillToolbar();
fillCharts();
fillTables();
fillWall();
fillDrawer();
update(() => {});
draw();
