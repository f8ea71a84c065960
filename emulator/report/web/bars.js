// -- bars: a row a method under the name of its network

const ROW = 26;  // pixels, and of a line in a label
const LINE = .6;
const ladder = () => {
  const rows = [], notes = [], phone = narrow();
  let y = 0;
  for (const variant of inOrder(chosen.variants)) {
    notes.push({ text: `<b>${wrapped(run.variants[variant], phone ? 40 : 90)}</b>`, y: y + .1 });
    y += 1;
    for (const method of inOrder(chosen.methods)) {
      const emulations = found(method, variant);
      if (!emulations.length) continue;
      const label = wrapped(run.methods[method], phone ? 48 : 44);
      const more = (label.split("<br>").length - 1) * LINE;
      if (phone) notes.push({ text: label, y: y + more / 2 - .05 });
      y += phone ? .8 + more : more / 2;
      rows.push({ method, variant, emulations, label, y });
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
const told = row => `<b>${plain(run.methods[row.method])}</b><br>${plain(run.variants[row.variant])}`;

const drawTimes = () => {
  const { rows, layout } = ladder();
  if (!rows.length) return empty("times", "Nothing is chosen.");
  for (const row of rows) {
    const all = row.emulations.map(e => e.time_s);
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
  const bar = (some, more) => ({
    type: "bar", orientation: "h", y: some.map(r => r.y), showlegend: false, hoverinfo: "text",
    width: .8, textposition: "none", ...more,
  });
  const ends = rows.filter(r => Number.isFinite(r.median));
  const never = rows.filter(r => !Number.isFinite(r.median));
  const final = row => mean(row.emulations.map(e => e.accuracy)).toFixed(3);
  const words = ends.map(r => duration(r.median));
  draw("times", [
    bar(ends, {
      x: ends.map(r => r.median / scale), marker: { color: ends.map(r => colour(r.method)) },
      hovertext: ends.map((r, k) => `${told(r)}<br>${words[k]}${seedsOf(r)}`),
      error_x: { type: "data", symmetric: false, color: style("--soft"), thickness: 1.5, width: 3,
        visible: ends.some(r => r.low !== r.high),
        array: ends.map(r => (Number.isFinite(r.high) ? r.high : end * scale) / scale
          - r.median / scale),
        arrayminus: ends.map(r => (r.median - r.low) / scale) },
    }),
    bar(never, {
      x: never.map(() => end),
      marker: { color: "rgba(0,0,0,0)", line: { color: never.map(r => colour(r.method)), width: 1 },
        pattern: { shape: "/", fgcolor: never.map(r => colour(r.method)), size: 8, solidity: .25 } },
      hovertext: never.map(r => `${told(r)}<br>never; ${final(r)} at the end${seedsOf(r)}`),
    }),
  ], {
    ...layout,
    xaxis: axis({ ...axisType(log), title: { text: `simulated time (${unit})` },
      range: log ? [Math.log10(low), Math.log10(end)] : [0, end], fixedrange: narrow() }),
    annotations: [...layout.annotations,
      ...ends.map((r, k) => ({ text: words[k], y: r.y, showarrow: false, xanchor: "left", xshift: 3, borderpad: 0,
        bgcolor: style("--ground"), x: (f => log ? Math.log10(f) : f)(Math.min(Number.isFinite(r.high) ? r.high
          : r.median, end * scale) / scale) })),
      ...never.map(r => ({ text: "never", y: r.y, x: .5, xref: "paper", showarrow: false,
        bgcolor: style("--ground"), borderpad: 1 }))],
  });
};

const drawParts = () => {
  const { rows, layout } = ladder();
  if (!rows.length) return empty("parts", "Nothing is chosen.");
  const share = el("parts-share").checked;
  for (const row of rows) {
    row.parts = run.phases.map((_, k) => mean(row.emulations.map(e => e.parts_s[k])));
    row.total = row.parts.reduce((a, b) => a + b, 0);
    const never = row.emulations.filter(e => e.time_s === null).length;
    row.never = !never ? "" : never === row.emulations.length ? ", never"
      : `, ${never} of ${row.emulations.length} never`;
  }
  const longest = Math.max(...rows.map(r => r.total));
  const [scale, unit] = share ? [1, "share"] : timeUnit(longest);
  const shown = row => share ? row.total || 1 : scale;
  const used = run.phases.map(([name, shade], k) => [name, shade, k])
    .filter(([, , k]) => rows.some(r => r.parts[k] > run.seen * r.total));
  draw("parts", used.map(([name, shade, k]) => ({
    type: "bar", orientation: "h", name, width: .8, y: rows.map(r => r.y), textposition: "none",
    x: rows.map(r => r.parts[k] / shown(r)),
    marker: { color: shade, pattern: pattern(k) },
    hoverinfo: "text", hovertext: rows.map(r => `${told(r)}<br>${name}: ${duration(r.parts[k])}, `
      + `${(100 * r.parts[k] / (r.total || 1)).toFixed(0)} % of ${duration(r.total)}`),
  })), {
    ...layout, barmode: "stack",
    xaxis: axis({ title: { text: share ? "share of the time" : `simulated time (${unit})` },
      tickformat: share ? ".0%" : "", fixedrange: narrow(),
      range: [0, share ? 1.001 : longest / scale * (narrow() ? 1.65 : 1.2)] }),
    annotations: [...layout.annotations, ...(share ? [] : rows.map(r => ({
      text: duration(r.total) + r.never, x: r.total / scale, y: r.y,
      showarrow: false, xanchor: "left", xshift: 3 })))],
  });
};
