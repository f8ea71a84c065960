// -- one round, client by client

const drawRound = () => {
  const here = run.emulations.filter(
    e => e.method === at("round-method") && e.variant === at("round-variant"));
  const seed = here.some(e => e.seed === at("round-seed")) ? at("round-seed") : null;
  const one = here.find(e => e.seed === seed);
  el("round-note").textContent = "";
  if (!one || !one.rounds.length) return empty("round", "This was not simulated.");
  el("round-number").max = one.rounds.length - 1;
  const round = one.rounds[Math.min(at("round-number"), one.rounds.length - 1)];
  el("round-say").textContent = `round ${round.round} of ${one.of_rounds}`;
  const thinned = [];
  if (one.rounds.length < one.of_rounds) thinned.push(
    `${one.rounds.length} of ${one.of_rounds} rounds are kept on this page, at even steps`);
  if (round.clients.length < round.of_clients) thinned.push(
    `${round.clients.length} of the round's ${round.of_clients} clients are shown, from the first `
    + "to finish to the last");
  el("round-note").textContent = `The round began at ${duration(round.start_s)} and took `
    + `${duration(round.length_s)}. ${thinned.length ? `Thinned: ${thinned.join("; ")}.` : ""}`;
  const [scale, unit] = timeUnit(round.length_s);
  const traces = run.phases.map(([name, shade], k) => {
    const spans = round.clients.flatMap(([client, phases], row) =>
      phases.filter(p => p[0] === k).map(([, from, to]) => ({ client, row, from, to })));
    return { type: "bar", orientation: "h", name, y: spans.map(s => s.row),
      base: spans.map(s => s.from / scale), x: spans.map(s => (s.to - s.from) / scale), width: .75,
      marker: { color: shade, pattern: pattern(k) }, hoverinfo: "text", textposition: "none",
      hovertext: spans.map(s => `<b>client ${s.client}</b><br>${name}: ${duration(s.to - s.from)}<br>`
        + `from ${duration(s.from)} to ${duration(s.to)}`) };
  }).filter(trace => trace.x.length);
  const n = round.clients.length;
  draw("round", traces, {
    height: 130 + 24 * n, barmode: "overlay", bargap: 0,
    xaxis: axis({ title: { text: `simulated time since the round began (${unit})` },
      range: [0, round.length_s / scale * 1.01], fixedrange: narrow() }),
    yaxis: axis({ tickvals: round.clients.map((_, k) => k), range: [n - .4, -.6], showgrid: false,
      ticktext: round.clients.map(([client]) => `client ${client}`), fixedrange: true }),
  }, [["client", "phase", "from_s", "to_s"], ...round.clients.flatMap(([client, phases]) => phases.map(
    ([k, from, to]) => [client, run.phases[k][0], from, to]))]);
};
const steps = by => () => {
  el("round-number").value = at("round-number") + by;
  drawRound();
};
