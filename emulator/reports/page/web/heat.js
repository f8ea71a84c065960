// -- heat map of densities

const drawHeat = () => {
  const variant = at("heat-variant");
  const known = inOrder(chosen.methods).filter(i => run.densities[run.methods[i]])
    .map(i => ({ i, pair: run.densities[run.methods[i]], emulations: found(i, variant) }))
    .filter(m => m.emulations.length);
  if (!known.length) return empty("heat", "No selected method has densities.");
  for (const m of known) m.median = median(m.emulations.map(e => e.time_s));
  const steps = k => [...new Set(known.map(m => m.pair[k]))].sort((a, b) => a - b);
  const downs = steps(0), ups = steps(1);
  const cells = downs.map(down => ups.map(up => known
    .filter(m => m.pair[0] === down && m.pair[1] === up).sort((a, b) => a.median - b.median)));
  const value = cell => cell.length && Number.isFinite(cell[0].median) ? cell[0].median : null;
  const z = cells.map(row => row.map(cell => (s => s === null ? null : Math.log10(Math.max(s, 1e-9)))
    (value(cell))));
  const known_s = cells.flat().map(value).filter(s => s !== null);
  const middle = (Math.log10(Math.max(...known_s)) + Math.log10(Math.min(...known_s))) / 2;
  const words = cell => !cell.length ? "" : value(cell) === null ? "never" : duration(value(cell));
  const timeText = m => [Number.isFinite(m.median) && named("median", m, duration(m.median)),
    neverText(m)].filter(text => text).join(", ");
  const hover = cell => cell.map(m => `${plain(run.methods[m.i])}: ${timeText(m)}`).join("<br>")
    || "not run";
  const every = cells.flatMap((row, r) => row.map((cell, c) => ({ cell, r, c })));
  draw("heat", [{
    type: "heatmap", z, x: ups.map((_, k) => k), y: downs.map((_, k) => k), colorscale: "Cividis",
    showscale: false, xgap: 3, ygap: 3, hoverinfo: "text", hoverongaps: true,
    hovertext: cells.map(row => row.map(hover)),
  }], {
    height: 120 + 64 * downs.length,
    xaxis: axis({ title: { text: "share of entries sent up" }, tickvals: ups.map((_, k) => k),
      ticktext: ups.map(fraction), showgrid: false, fixedrange: true, range: [-.5, ups.length - .5] }),
    yaxis: axis({ title: { text: "share sent down" }, tickvals: downs.map((_, k) => k),
      ticktext: downs.map(fraction), showgrid: false, fixedrange: true,
      range: [-.5, downs.length - .5] }),
    annotations: every.filter(({ cell }) => cell.length).map(({ cell, r, c }) => ({ x: c, y: r,
      text: narrow() ? words(cell).replace(/(min|h) /, "$1<br>") : words(cell), showarrow: false, font: { size: 14, color: value(cell) === null
        ? style("--ink") : z[r][c] > middle ? "#000" : "#fff" } })),
  }, [["method", "down", "up", "median_s"], ...known.map(
    m => [run.methods[m.i], ...m.pair, m.median])]);
};
