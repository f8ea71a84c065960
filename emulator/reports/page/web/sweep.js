// -- time over a swept setting, or the first method over two

const drawSweep = () => run.maps.length ? drawMap(run.maps[at("sweep-of")]) : drawLines(run.sweeps[at("sweep-of")]);

const drawLines = sweep => {
  const own = aim === run.targets.own, methods = inOrder(chosen.methods);
  const lines = methods.map(i => ({ i, points: sweep.values.map((x, k) => {
    const emulations = found(i, sweep.variants[k]), times = emulations.map(aimedTime);
    const numbers = times.filter(s => s !== null && s > 0);
    return { x, emulations, times, middle: median(times), low: numbers.length === times.length ? Math.min(...times) : null,
      high: numbers.length === times.length ? Math.max(...times) : null };
  }).filter(p => p.emulations.length && chosen.variants.has(sweep.variants[sweep.values.indexOf(p.x)])) }));
  const known = lines.flatMap(l => l.points.map(p => p.middle)).filter(s => Number.isFinite(s) && s > 0);
  el("sweep-note").textContent = "A line per method; a band from minimum to maximum if there are several seeds. " +
    "A line ends where the target is not reached." + (own && sweep.marks.length ? " A dotted line marks where the lead passes to another method." : "");
  if (!known.length) return empty("sweep", "No selected method reaches the target.");
  const [unit_s, unit] = timeUnit(Math.sqrt(Math.min(...known) * Math.max(...known)));
  const hover = (i, p) => `${plain(run.methods[i])}, ${p.x}: ${Number.isFinite(p.middle) ? named("median", p, duration(p.middle)) : "never"}`;
  const bands = lines.filter(l => l.points.some(p => p.low !== p.high)).map(l => {
    const p = l.points.filter(q => q.low !== null);
    return { x: [...p.map(q => q.x), ...p.map(q => q.x).reverse()], y: [...p.map(q => q.high), ...p.map(q => q.low).reverse()].map(s => s / unit_s),
      fill: "toself", fillcolor: colour(l.i), opacity: .15, line: { width: 0 }, mode: "lines", showlegend: false, hoverinfo: "skip" };
  });
  const traces = lines.map(l => {
    const p = l.points.filter(q => Number.isFinite(q.middle));
    return { x: p.map(q => q.x), y: p.map(q => q.middle / unit_s), name: wrapped(run.methods[l.i], 40), mode: "lines+markers",
      line: { color: colour(l.i), width: 2, dash: DASHES[Math.floor(l.i / run.colours.length) % DASHES.length] },
      marker: { symbol: SYMBOLS[l.i % SYMBOLS.length][0], size: 7 }, hoverinfo: "text", hovertext: p.map(q => hover(l.i, q)) };
  });
  const kind = sweep.log ? "log" : "linear", marks = own ? sweep.marks : [];
  draw("sweep", [...bands, ...traces], {
    height: 430,
    xaxis: axis({ title: { text: plain(sweep.title) }, type: kind, ...(sweep.values.length <= 12 ? { tickvals: sweep.values, ticktext: sweep.values.map(String) } : sweep.log ? { dtick: "D2" } : {}) }),
    yaxis: axis({ title: { text: `simulated time (${unit})` }, type: "log", dtick: "D2" }),
    shapes: marks.map(([x]) => ({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1,
      line: { color: style("--soft"), dash: "dot", width: 1.5 } })),
    annotations: marks.map(([x, text]) => ({ x: sweep.log ? Math.log10(x) : x, y: 0, yref: "paper", text: plain(text),
      showarrow: false, xanchor: "left", yanchor: "bottom" })),
  }, [["method", "value", "median_s", "low_s", "high_s"], ...lines.flatMap(l => l.points.map(
    p => [run.methods[l.i], p.x, p.middle, p.low, p.high]))]);
};

const drawMap = map => {
  const [columns, rows] = map.ticks, of = run.methods;
  el("sweep-note").textContent = "The method with the lowest median time, to the run's own target. The number is the time of the next " +
    "method divided by its own; a full colour is 2 or more. *: it is first in fewer than 95 % of the runs (seeds and draws of the fleet).";
  const shades = map.cells.map(([x, y, , method, , strength]) => ({ type: "rect", x0: x - .5, x1: x + .5, y0: y - .5, y1: y + .5,
    line: { width: 0 }, fillcolor: method < 0 ? "rgba(0,0,0,0)" : colour(method), opacity: method < 0 ? 0 : strength, layer: "below" }));
  const unsure = ([, , , method, , , wins, runs]) => method >= 0 && runs > 1 && wins < .95 * runs;
  const text = cell => cell[3] < 0 ? "never" : (cell[4] === null ? "only" : cell[4].toFixed(2)) + (unsure(cell) ? "*" : "");
  const first = [...new Set(map.cells.map(cell => cell[3]))].filter(i => i >= 0).sort((a, b) => a - b);
  const legend = first.map(i => ({ x: [null], y: [null], mode: "markers", name: wrapped(of[i], 40),
    marker: { color: colour(i), symbol: "square", size: 12 } }));
  const hover = ([x, y, , method, lead, , wins, runs]) => `${columns[x]}, ${rows[y]}: ` + (method < 0 ? "no method reaches the target"
    : `${plain(of[method])}, first in ${wins} of ${runs}` + (lead === null ? "" : `; the next takes ${lead.toFixed(2)} times as long`));
  draw("sweep", [{ x: map.cells.map(c => c[0]), y: map.cells.map(c => c[1]), mode: "text", text: map.cells.map(text),
    hoverinfo: "text", hovertext: map.cells.map(hover), showlegend: false }, ...legend], {
    height: 140 + 40 * rows.length, shapes: shades,
    xaxis: axis({ title: { text: plain(map.titles[0]) }, tickvals: columns.map((_, k) => k), ticktext: columns, showgrid: false,
      fixedrange: true, range: [-.5, columns.length - .5] }),
    yaxis: axis({ title: { text: plain(map.titles[1]) }, tickvals: rows.map((_, k) => k), ticktext: rows, showgrid: false,
      fixedrange: true, range: [-.5, rows.length - .5] }),
  }, [["column", "row", "first", "lead", "wins", "runs"], ...map.cells.map(
    ([x, y, , method, lead, , wins, runs]) => [columns[x], rows[y], method < 0 ? "" : of[method], lead, wins, runs])]);
};
