// -- bars: one row per method (or what `rowsOf` returns), under the name of its variant

const ROW = 26;  // pixels per row
const LINE = .6;  // rows per further line of a label
const methodRows = variant => inOrder(chosen.methods).map(method => (
  { method, name: run.methods[method], emulations: found(method, variant) }));
const ladder = (rowsOf = methodRows) => {
  const rows = [], notes = [], phone = narrow();
  let y = 0;
  for (const variant of inOrder(chosen.variants)) {
    notes.push({ text: `<b>${wrapped(run.variants[variant], phone ? 40 : 90)}</b>`, y: y + .1 });
    y += 1;
    for (const row of rowsOf(variant)) {
      if (!row.emulations.length) continue;
      const label = wrapped(row.name, phone ? 48 : 44);
      const more = (label.split("<br>").length - 1) * LINE;
      if (phone) notes.push({ text: label, y: y + more / 2 - .05 });
      y += phone ? .8 + more : more / 2;
      rows.push({ ...row, variant, label, y });
      y += phone ? 1 : 1 + more / 2;
    }
    y += .3;
  }
  return {
    rows,
    layout: {
      height: ROW * y + 110,
      bargap: .12,
      yaxis: axis({ range: [y - .4, -.5], fixedrange: true, showgrid: false, ticks: "",
        tickvals: phone ? [] : rows.map(r => r.y), ticktext: phone ? [] : rows.map(r => r.label) }),
      annotations: notes.map(n => ({ ...n, x: 0, xref: "paper", xanchor: "left", showarrow: false,
        align: "left" })),
    },
  };
};
const told = row => `<b>${plain(row.name)}</b><br>${plain(run.variants[row.variant])}`;

const drawTimes = () => {
  const { rows, layout } = ladder();
  if (!rows.length) return empty("times", "Nothing is selected.");
  for (const row of rows) {
    const all = row.emulations.map(aimedTime);
    row.median = median(all);
    row.low = Math.min(...all.map(s => s === null ? Infinity : s));
    row.high = Math.max(...all.map(s => s === null ? Infinity : s));
    row.reached = all.filter(s => s !== null).length;
  }
  const known = rows.flatMap(r => [r.low, r.median, r.high]).filter(Number.isFinite);
  const [scale, unit] = timeUnit(Math.max(...known, 0));
  const log = el("times-log").checked && known.every(s => s > 0) && known.length > 0;
  const low = log ? Math.min(...known) / 2 / scale : 0;
  const room = narrow() ? 1.45 : 1.16;
  const top = known.length ? Math.max(...known) / scale : 1;
  const end = log ? top * (top / low) ** (room - 1) : top * room;
  const seedsOf = row => row.emulations.length > 1
    ? `<br>${row.reached} of ${row.emulations.length} seeds; ${Number.isFinite(row.low) ?
      duration(row.low) : "never"} to ${Number.isFinite(row.high) ? duration(row.high) : "never"}` : "";
  // Beside the table: a halo in the colour of the ground shows a line on a dark bar as well.
  const whisker = (shade, thickness, width) => ({
    type: "scatter", mode: "markers", x: spans.map(r => r.median / scale), y: spans.map(r => r.y),
    marker: { opacity: 0 }, hoverinfo: "skip", showlegend: false,
    error_x: { type: "data", symmetric: false, color: shade, thickness, width,
      array: spans.map(r => Math.min(r.high / scale, end) - r.median / scale),
      arrayminus: spans.map(r => (r.median - r.low) / scale) },
  });
  const bar = (some, more) => ({
    type: "bar", orientation: "h", y: some.map(r => r.y), showlegend: false, hoverinfo: "text",
    width: .8, textposition: "none", ...more,
  });
  const ends = rows.filter(r => Number.isFinite(r.median));
  const spans = ends.filter(r => r.low !== r.high);
  const never = rows.filter(r => !Number.isFinite(r.median));
  const final = row => named("mean", row, mean(row.emulations.map(e => e.accuracy)).toFixed(3));
  const words = ends.map(r => [named("median", r, duration(r.median)), neverText(r, aimedTime)]
    .filter(text => text).join(", "));
  draw("times", [
    bar(ends, {
      x: ends.map(r => r.median / scale), marker: { color: ends.map(r => colour(r.method)) },
      hovertext: ends.map((r, k) => `${told(r)}<br>${words[k]}${seedsOf(r)}`),
    }),
    bar(never, {
      x: never.map(() => end),
      marker: { color: style("--card") },
      hovertext: never.map(r => `${told(r)}<br>${neverText(r, aimedTime)}; ${final(r)} at the end${seedsOf(r)}`),
    }),
    ...spans.length ? [whisker(style("--ground"), 5, 5), whisker(style("--ink"), 1.5, 4)] : [],
  ], {
    ...layout,
    xaxis: axis({ ...axisType(log), title: { text: `simulated time (${unit})` },
      range: log ? [Math.log10(low), Math.log10(end)] : [0, end], fixedrange: narrow() }),
    annotations: [...layout.annotations,
      ...ends.map((r, k) => ({ text: words[k], y: r.y, showarrow: false, xanchor: "left", xshift: 3, borderpad: 0,
        bgcolor: style("--ground"), x: (f => log ? Math.log10(f) : f)(Math.min(Number.isFinite(r.high) ? r.high
          : r.median, end * scale) / scale) })),
      ...never.map(r => ({ text: neverText(r, aimedTime), y: r.y, x: 0, xref: "paper", showarrow: false,
        xanchor: "left", xshift: 3, font: { color: style("--soft") } }))],
  }, [["method", "variant", "median_s", "low_s", "high_s", "reached", "seeds"], ...rows.map(r => [r.name,
    run.variants[r.variant], r.median, r.low, r.high, r.reached, r.emulations.length])]);
};

// Stacked bars of `parts`, or of their shares of `whole`; `kinds` are [name, colour, pattern].
const stacked = (id, { rows, layout }, kinds, { share, say, axisOf, tail = () => "", over = "mean",
  more = (row, k) => `, ${percent(row.parts[k] / (row.whole || 1))} of ${say(row.whole)}` }) => {
  for (const row of rows) row.total = row.parts.reduce((a, b) => a + b, 0);
  const longest = Math.max(...rows.map(r => share ? r.total / (r.whole || 1) : r.total), 0);
  const [scale, title] = share ? [1, "share"] : axisOf(longest);
  const shown = row => share ? row.whole || 1 : scale;
  const used = kinds.map((kind, k) => [...kind, k])
    .filter(([, , , k]) => rows.some(r => r.parts[k] > run.seen * r.total));
  draw(id, used.map(([name, shade, mark, k]) => ({
    type: "bar", orientation: "h", name, width: .8, y: rows.map(r => r.y), textposition: "none",
    x: rows.map(r => r.parts[k] / shown(r)),
    marker: { color: shade, pattern: pattern(mark) },
    hoverinfo: "text", hovertext: rows.map(r => `${told(r)}<br>${plain(name)}: ${named(over, r, say(r.parts[k]))}`
      + more(r, k)),
  })), {
    ...layout, barmode: "stack",
    xaxis: axis({ title: { text: title }, tickformat: share ? ".0%" : "", fixedrange: narrow(),
      range: [0, share ? 1.001 : (longest / scale || 1) * (narrow() ? 1.65 : 1.25)] }),
    annotations: [...layout.annotations, ...rows.map(r => ({
      text: share ? tail(r) : `${named(over, r, say(r.total))}${tail(r)}`, x: r.total / shown(r), y: r.y,
      showarrow: false, xanchor: "left", xshift: 3 })).filter(n => n.text)],
  }, [["row", "variant", ...kinds.map(([name]) => name)],
    ...rows.map(r => [r.name, run.variants[r.variant], ...r.parts])]);
};
const seconds = longest_s => (([scale, unit]) => [scale, `simulated time (${unit})`])(
  timeUnit(longest_s));

// The seed with the median time, or the two in the middle: parts whose sum is the median itself.
const middleOf = emulations => {
  const time = e => e.time_s === null ? Infinity : e.time_s;
  const order = [...emulations].sort((a, b) => time(a) === time(b) ? 0 : time(a) < time(b) ? -1 : 1);
  const last = (order.length - 1) / 2;
  return [order[Math.floor(last)], order[Math.ceil(last)]];
};
const drawParts = () => {
  const { rows, layout } = ladder();
  if (!rows.length) return empty("parts", "Nothing is selected.");
  for (const row of rows) {
    row.parts = run.phases.map((_, k) => mean(middleOf(row.emulations).map(e => e.parts_s[k])));
    row.whole = row.parts.reduce((a, b) => a + b, 0);
    row.never = neverText(row) && `, ${neverText(row)}`;
  }
  const share = el("parts-share").checked;
  stacked("parts", { rows, layout }, run.phases.map((kind, k) => [...kind, k]),
    { share, say: duration, axisOf: seconds, over: "median", tail: row => share ? "" : row.never });
};
