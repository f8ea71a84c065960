// -- the first screen: a row per method, a column per variant; and time against the target

const MOST_COLUMNS = 8;  // of variants in the first table; the last ones are shown
const drawTop = () => {
  const variants = inOrder(chosen.variants).slice(-MOST_COLUMNS), [head] = [el("top").tHead];
  const rows = inOrder(chosen.methods).map(method => ({ method,
    cells: variants.map(variant => found(method, variant)).map(
      some => some.length ? spread(some.map(aimedTime)) : null) }));
  const last = row => row.cells.length && row.cells[row.cells.length - 1] || { median: Infinity };
  const order = (a, b) => a === b ? 0 : a < b ? -1 : 1;
  rows.sort((a, b) => order(last(a).median, last(b).median) || a.method - b.method);
  const put = (row, tag, text) => {
    const cell = row.appendChild(document.createElement(tag));
    cell.textContent = text;
    return cell;
  };
  head.replaceChildren();
  el("top").tBodies[0].replaceChildren();
  const names = head.insertRow();
  for (const name of ["Method", ...variants.map(v => run.variants[v])]) put(names, "th", name).scope = "col";
  const least = variants.map((_, k) => Math.min(...rows.map(r => r.cells[k]?.median ?? Infinity)));
  for (const { method, cells } of rows) {
    const row = el("top").tBodies[0].insertRow();
    put(row, "td", run.methods[method]);
    cells.forEach((cell, k) => {
      if (!cell) return put(row, "td", "");
      const at = put(row, "td", orNever(cell.median, duration));
      if (cell.median === least[k] && Number.isFinite(cell.median)) at.className = "least";
      const more = [rangeText(cell), cell.reached < cell.count && cell.reached
        ? `${cell.reached} of ${cell.count}` : ""].filter(text => text).join(", ");
      if (more) Object.assign(at.appendChild(document.createElement("small")), { textContent: more });
    });
  }
};

// One line per method: seconds to each target that half of the seeds reach, with a band over seeds.
const drawGoals = () => {
  const variant = at("goals-variant"), targets = run.targets.values;
  const lines = inOrder(chosen.methods).map(method => ({ method, emulations: found(method, variant) }))
    .filter(({ emulations }) => emulations.length)
    .map(line => ({ ...line, points: targets.map((value, k) => ({ value, ...spread(
      line.emulations.map(e => e.costs.at[k] < 0 ? null : e.costs.of[e.costs.at[k]][0])) }))
      .filter(point => Number.isFinite(point.median)) }));
  const table = [["method", "target", "median_s", "low_s", "high_s", "reached", "seeds"],
    ...lines.flatMap(({ method, points }) => points.map(p => [run.methods[method], p.value, p.median,
      p.low, p.high, p.reached, p.count]))];
  const all = lines.flatMap(({ points }) => points.map(p => p.median));
  if (!all.length) return empty("goals", targets.length ? "No selected method reaches a target."
    : "The run has no target.");
  const [scale, unit] = timeUnit(Math.max(...all)), log = el("goals-log").checked;
  const kept = points => points.filter(p => !log || p.low > 0);
  const traces = lines.flatMap(({ method, emulations, points }) => {
    const some = kept(points), whole = some.filter(p => Number.isFinite(p.high));
    const shade = colour(method), x = some.map(p => p.value), name = run.methods[method];
    const edge = { type: "scatter", mode: "lines", x: whole.map(p => p.value), line: { width: 0 },
      hoverinfo: "skip", showlegend: false };
    const line = { type: "scatter", mode: "lines", name: wrapped(name, 34), x,
      y: some.map(p => p.median / scale), line: { color: shade, width: 2.5, shape: "hv",
        dash: DASHES[Math.floor(method / run.colours.length) % DASHES.length] },
      hoverinfo: "text", hovertext: some.map(p => `<b>${plain(name)}</b><br>${plain(run.curved)} ${targetText(p.value)}: `
        + `${named("median", { emulations }, duration(p.median))}${rangeText(p) && `<br>${rangeText(p)}, ${p.reached} of ${p.count} seeds`}`) };
    return emulations.length > 1 ? [{ ...edge, y: whole.map(p => p.low / scale) },
      { ...edge, y: whole.map(p => p.high / scale), fill: "tonexty", fillcolor: `${shade}22` }, line] : [line];
  });
  draw("goals", traces, {
    height: 300 + 18 * lines.length,
    xaxis: axis({ title: { text: run.curved }, fixedrange: narrow(),
      autorange: targets[0] > targets[targets.length - 1] ? "reversed" : true }),
    yaxis: axis({ ...axisType(log), title: { text: `simulated time (${unit})` }, rangemode: "tozero",
      fixedrange: narrow() }),
    shapes: [{ type: "line", yref: "paper", y0: 0, y1: 1, x0: targets[aim], x1: targets[aim],
      line: { color: style("--soft"), width: 1.5, dash: "dash" } }],
  }, table);
};
