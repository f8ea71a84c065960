// -- bottlenecks, wasted work, excluded clients

const heldUp = (emulations, group, k) => mean(emulations.map(e => e.causes
  .filter(([g, b]) => b === k && (group === null || g === group))
  .reduce((sum, [, , s]) => sum + s, 0)));
const groupRows = variant => {
  const emulations = inOrder(chosen.methods).flatMap(method => found(method, variant));
  const none = run.emulations.some(e => e.causes.some(([group]) => group < 0)) ? [-1] : [];
  return [...run.groups.keys(), ...none].map(group => (
    { group, emulations, name: group < 0 ? "no client" : run.groups[group] }));
};
const drawCauses = () => {
  const byGroup = el("causes-by").value === "groups", share = el("causes-share").checked;
  const { rows, layout } = ladder(byGroup ? groupRows : methodRows);
  if (!rows.length) return empty("causes", "Nothing is selected.");
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
  if (!rows.length) return empty("waste", "Nothing is selected.");
  for (const row of rows) {
    row.parts = [0, 1].map(k => mean(row.emulations.map(e => e[key][k])));
    row.whole = row.parts[0] + row.parts[1];
  }
  const share = el("waste-share").checked, mass = longest => [longest >= 1e9 ? 1e9 : 1e6,
    `bytes down and up (${longest >= 1e9 ? "GB" : "MB"})`];
  stacked("waste", { rows, layout }, [["in updates that were used", run.colours[0], 0],
    ["wasted", run.colours[3], 2]], { share, say: key === "bytes" ? size : duration,
    axisOf: key === "bytes" ? mass : longest_s => [timeUnit(longest_s)[0],
      `compute time of all clients (${timeUnit(longest_s)[1]})`],
    tail: row => share || !row.whole ? "" : `, ${percent(row.parts[1] / row.whole)} wasted` });
};

const drawUnheard = () => {
  const { rows, layout } = ladder();
  const known = rows.filter(row => row.emulations.every(e => e.unheard));
  if (!known.length) return empty("unheard", rows.length ? "This run did not record it." : "Nothing is selected.");
  for (const row of known) {
    const of = k => run.groups.map((_, g) => mean(row.emulations.map(
      e => e.unheard.filter(each => each[0] === g).reduce((sum, each) => sum + each[k], 0))));
    [row.parts, row.within, row.whole] = [of(1), of(2), 1];
  }
  stacked("unheard", { rows: known, layout }, run.groups.map((name, g) => [wrapped(name, 40), colour(g), g % 8]),
    { share: true, say: percent,
    more: (row, g) => ` of all; ${percent(row.within[g])} of the examples of ${plain(run.groups[g])}`, tail: row => percent(row.parts.reduce((a, b) => a + b, 0)) });
};

// At least 0.04 to 0.1 wide, so that a difference of a few examples does not look large.
const wide = scores => {
  const low = Math.min(...scores), high = Math.max(...scores), more = Math.max(.02, (.1 - high + low) / 2);
  return [low - more, high + more];
};
// Two connected scores per row: on data like that of included and of excluded clients.
const drawServed = () => {
  const { rows, layout } = ladder();
  if (!rows.length) return empty("served", "Nothing is selected.");
  const of = k => row => {
    const known = row.emulations.map(e => e.served[k]).filter(s => s !== null);
    return known.length ? mean(known) : null;
  };
  const kinds = [["of included clients", of(0), "circle"], ["of excluded clients", of(1), "circle-open"]];
  const some = kinds.map(([, score]) => rows.filter(row => score(row) !== null));
  if (!some[0].length && !some[1].length) return empty("served", "This run did not record it.");
  const both = rows.filter(row => kinds.every(([, score]) => score(row) !== null));
  draw("served", kinds.map(([name, score, symbol], k) => ({
    type: "scatter", mode: "markers", name, x: some[k].map(score), y: some[k].map(r => r.y),
    marker: { symbol, size: 11, color: some[k].map(r => colour(r.method)), line: { width: 2, color: some[k].map(r => colour(r.method)) } },
    hoverinfo: "text", hovertext: some[k].map(r => `${told(r)}<br>${named("mean", r, score(r).toFixed(3))} on data like that ${name}`),
  })), {
    ...layout,
    xaxis: axis({ title: { text: run.metric }, fixedrange: narrow(), range: wide(
      kinds.flatMap(([, score], k) => some[k].map(score))) }),
    shapes: both.map(row => ({ type: "line", x0: of(0)(row), x1: of(1)(row), y0: row.y, y1: row.y,
      line: { color: colour(row.method), width: 2 }, layer: "below" })),
  }, [["method", "variant", "included", "excluded"], ...rows.map(
    row => [row.name, run.variants[row.variant], of(0)(row), of(1)(row)])]);
};
