// -- what rounds waited for, what was in vain, who was left out

const heldUp = (emulations, group, k) => mean(emulations.map(e => e.causes
  .filter(([g, b]) => b === k && (group === null || g === group))
  .reduce((sum, [, , s]) => sum + s, 0)));
const groupRows = variant => {
  const emulations = inOrder(chosen.methods).flatMap(method => found(method, variant));
  const nobody = run.emulations.some(e => e.causes.some(([group]) => group < 0)) ? [-1] : [];
  return [...run.groups.keys(), ...nobody].map(group => (
    { group, emulations, name: group < 0 ? "no client" : run.groups[group] }));
};
const drawCauses = () => {
  const byGroup = el("causes-by").value === "groups", share = el("causes-share").checked;
  const { rows, layout } = ladder(byGroup ? groupRows : methodRows);
  if (!rows.length) return empty("causes", "Nothing is chosen.");
  for (const row of rows) {
    const of = group => run.bottlenecks.map((_, k) => heldUp(row.emulations, group, k));
    row.parts = of(byGroup ? row.group : null);
    row.whole = of(null).reduce((a, b) => a + b, 0);
  }
  stacked("causes", { rows, layout }, run.bottlenecks.map(([name, shade], k) => [name, shade
    === "#000000" ? style("--ink") : shade, k]), { share, say: duration, axisOf: seconds,
    tail: row => share && byGroup ? percent(row.parts.reduce((a, b) => a + b, 0) / (row.whole || 1)) : "" });
};

const drawWaste = () => {
  const key = el("waste-of").value;
  const { rows, layout } = ladder();
  if (!rows.length) return empty("waste", "Nothing is chosen.");
  for (const row of rows) {
    row.parts = [0, 1].map(k => mean(row.emulations.map(e => e[key][k])));
    row.whole = row.parts[0] + row.parts[1];
  }
  const share = el("waste-share").checked, mass = longest => [longest >= 1e9 ? 1e9 : 1e6,
    `bytes down and up (${longest >= 1e9 ? "GB" : "MB"})`];
  stacked("waste", { rows, layout }, [["in updates that were used", run.colours[0], 0],
    ["in vain", run.colours[3], 2]], { share, say: key === "bytes" ? size : duration,
    axisOf: key === "bytes" ? mass : longest_s => [timeUnit(longest_s)[0],
      `compute time of all clients (${timeUnit(longest_s)[1]})`],
    tail: row => share || !row.whole ? "" : `, ${percent(row.parts[1] / row.whole)} in vain` });
};

const drawUnheard = () => {
  const { rows, layout } = ladder();
  const known = rows.filter(row => row.emulations.every(e => e.unheard));
  if (!known.length) return empty("unheard", rows.length ? "This run does not say." : "Nothing is chosen.");
  for (const row of known) {
    const of = k => run.groups.map((_, g) => mean(row.emulations.map(
      e => e.unheard.filter(each => each[0] === g).reduce((sum, each) => sum + each[k], 0))));
    [row.parts, row.within, row.whole] = [of(1), of(2), 1];
  }
  stacked("unheard", { rows: known, layout }, run.groups.map((name, g) => [wrapped(name, 40), colour(g), g % 8]),
    { share: true, say: percent,
    more: (row, g) => ` of all; ${percent(row.within[g])} of what ${plain(run.groups[g])} hold`, tail: row => percent(row.parts.reduce((a, b) => a + b, 0)) });
};

// So wide that what a few examples more or less would change does not look large.
const wide = scores => {
  const low = Math.min(...scores), high = Math.max(...scores), more = Math.max(.02, (.1 - high + low) / 2);
  return [low - more, high + more];
};
// Two scores a row, joined: on data like that of who was heard, and of who never was.
const drawServed = () => {
  const { rows, layout } = ladder();
  if (!rows.length) return empty("served", "Nothing is chosen.");
  const of = k => row => {
    const known = row.emulations.map(e => e.served[k]).filter(s => s !== null);
    return known.length ? mean(known) : null;
  };
  const kinds = [["of those who were heard", of(0), "circle"], ["of those never heard", of(1), "circle-open"]];
  const some = kinds.map(([, score]) => rows.filter(row => score(row) !== null));
  if (!some[0].length && !some[1].length) return empty("served", "This was not recorded.");
  const both = rows.filter(row => kinds.every(([, score]) => score(row) !== null));
  draw("served", kinds.map(([name, score, symbol], k) => ({
    type: "scatter", mode: "markers", name, x: some[k].map(score), y: some[k].map(r => r.y),
    marker: { symbol, size: 11, color: some[k].map(r => colour(r.method)), line: { width: 2, color: some[k].map(r => colour(r.method)) } },
    hoverinfo: "text", hovertext: some[k].map(r => `${told(r)}<br>${score(r).toFixed(3)} on data like that ${name}`),
  })), {
    ...layout,
    xaxis: axis({ title: { text: run.metric }, fixedrange: narrow(), range: wide(
      kinds.flatMap(([, score], k) => some[k].map(score))) }),
    shapes: both.map(row => ({ type: "line", x0: of(0)(row), x1: of(1)(row), y0: row.y, y1: row.y,
      line: { color: colour(row.method), width: 2 }, layer: "below" })),
  });
};
