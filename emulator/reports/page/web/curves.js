// -- curves

const AGAINST = {
  time: ["simulated time", curve => curve.time_s, duration],
  bytes: ["bytes down and up", curve => curve.bytes_down.map((b, k) => b + curve.bytes_up[k]), size],
  up: ["bytes up", curve => curve.bytes_up, size],
  down: ["bytes down", curve => curve.bytes_down, size],
  rounds: ["rounds", curve => curve.round, String],
};
const interpolated = (x, xs, ys) => {
  let k = xs.findIndex(other => other >= x);
  if (k <= 0 || xs[k] === x) return ys[Math.max(k, 0)];
  return ys[k - 1] + (ys[k] - ys[k - 1]) * (x - xs[k - 1]) / (xs[k] - xs[k - 1]);
};
const band = (emulations, costOf) => {
  const curves = emulations.map(e => [costOf(e.curve), e.curve.score]).filter(([xs]) => xs.length);
  if (!curves.length) return null;
  const end = Math.min(...curves.map(([xs]) => xs[xs.length - 1]));
  const grid = [...new Set(curves.flatMap(([xs]) => xs))].filter(x => x <= end);
  grid.sort((a, b) => a - b);
  const all = grid.map(x => curves.map(([xs, ys]) => interpolated(x, xs, ys)));
  return { x: grid, low: all.map(v => Math.min(...v)), mean: all.map(mean),
    high: all.map(v => Math.max(...v)), count: curves.length };
};
// One line per method under one variant, or one line per variant for one method.
const drawCurves = () => {
  const against = el("curves-against").value, byMethod = el("curves-lines").value === "methods";
  const [title, costOf, say] = AGAINST[against];
  el("curves-variant").parentElement.hidden = !byMethod;
  el("curves-method").parentElement.hidden = byMethod;
  const names = byMethod ? run.methods : run.variants;
  const of = i => byMethod ? found(i, at("curves-variant")) : found(at("curves-method"), i);
  const bands = inOrder(byMethod ? chosen.methods : chosen.variants)
    .map(i => [i, band(of(i), costOf)]).filter(([, b]) => b);
  if (!bands.length) return empty("curves", run.emulations.some(e => e.curve.round.length)
    ? "Nothing is selected." : "The run has no scores.");
  const ends = bands.map(([, b]) => b.x[b.x.length - 1]).filter(x => x > 0);
  const [scale, unit] = against === "time" ? timeUnit(Math.max(...ends))
    : against === "rounds" ? [1, ""] : [1e6, "MB"];
  const log = el("curves-log").checked;
  const traces = bands.flatMap(([i, b]) => {
    const keep = b.x.map((x, k) => k).filter(k => !log || b.x[k] > 0);
    const x = keep.map(k => b.x[k] / scale), pick = ys => keep.map(k => ys[k]);
    const shade = colour(i), name = wrapped(names[i], narrow() ? 38 : 60);
    const edge = { type: "scatter", mode: "lines", x, line: { width: 0 }, hoverinfo: "skip",
      showlegend: false };
    const seedsOf = k => b.count > 1
      ? `<br>${b.low[k].toFixed(3)} to ${b.high[k].toFixed(3)} over ${b.count} seeds` : "";
    const line = { type: "scatter", mode: "lines+markers", name, x, y: pick(b.mean),
      line: { color: shade, width: 2,
        dash: DASHES[Math.floor(i / run.colours.length) % DASHES.length] },
      marker: { symbol: SYMBOLS[i % SYMBOLS.length][0], size: 7, color: shade,
        maxdisplayed: 14 },
      hoverinfo: "text", hovertext: keep.map(k => `<b>${plain(names[i])}</b><br>`
        + `${b.count > 1 ? "mean " : ""}${b.mean[k].toFixed(3)} after ${say(b.x[k])}${against === "rounds" ? " rounds" : ""}`
        + seedsOf(k)) };
    return b.count > 1 ? [{ ...edge, y: pick(b.low) }, { ...edge, y: pick(b.high), fill: "tonexty",
      fillcolor: `${shade}33` }, line] : [line];
  });
  const legend = 20 * traces.flatMap(t => t.name ? t.name.split("<br>") : []).length;
  draw("curves", traces, {
    height: narrow() ? 340 + legend : 480,
    xaxis: axis({ ...axisType(log), title: { text: title + (unit && ` (${unit})`) },
      rangemode: "tozero", fixedrange: narrow() }),
    yaxis: axis({ title: { text: run.curved }, fixedrange: narrow() }),
    shapes: run.target === null ? [] : [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: run.target,
      y1: run.target, line: { color: style("--soft"), width: 1.5, dash: "dash" } }],
    annotations: run.target === null ? [] : [{ text: `target ${run.target}`, xref: "paper", x: 0,
      xanchor: "left", y: run.target, yanchor: "bottom", showarrow: false,
      font: { color: style("--soft") } }],
  }, [["line", title, "mean", "low", "high"], ...bands.flatMap(([i, b]) => b.x.map(
    (x, k) => [names[i], x, b.mean[k], b.low[k], b.high[k]]))]);
};
