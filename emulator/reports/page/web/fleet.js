// -- the fleet

const drawFleet = () => {
  const groups = run.fleet[run.variants[at("fleet-variant")]] || [];
  const body = el("fleet-table").tBodies[0];
  body.replaceChildren();
  if (!groups.length) return empty("fleet", "This run did not record it.");
  const traces = groups.flatMap((group, i) => ["down", "up"].map(way => {
    const rates = group[`${way}_Bps`], one = rates.length === 1;
    const x = one ? [rates[0], rates[0]] : rates;
    const y = one ? [0, 1] : rates.map((_, k) => k / (rates.length - 1));
    return { type: "scatter", mode: "lines", x: x.map(Bps => 8 * Bps / 1e6), y, legendgroup: way,
      name: `${wrapped(group.name, 40)}, ${way}`,
      line: { color: colour(i), width: 2.5, dash: way === "down" ? "solid" : "dot" },
      hoverinfo: "text", hovertext: x.map((Bps, k) => `<b>${plain(group.name)}, ${way}</b><br>`
        + (one ? `all have ${rate(Bps)}` : `${(100 * y[k]).toFixed(0)} % have at most ${rate(Bps)}`)) };
  }));
  const all = groups.flatMap(g => [...g.down_Bps, ...g.up_Bps]).map(Bps => Math.log10(8 * Bps / 1e6));
  draw("fleet", traces, {
    height: 380,
    xaxis: axis({ type: "log", title: { text: "rate (Mbps)" }, fixedrange: narrow(), dtick: 1,
      range: [Math.min(...all) - .3, Math.max(...all) + .3] }),
    yaxis: axis({ title: { text: "share of the clients" }, range: [-.02, 1.02],
      tickformat: ".0%", fixedrange: true }),
  }, [["group", "way", "share", "bit/s"], ...groups.flatMap(group => ["down", "up"].flatMap(
    way => group[`${way}_Bps`].map((Bps, k, all) => [group.name, way, all.length > 1
      ? k / (all.length - 1) : 1, 8 * Bps])))]);
  const at_ = (rates, q) => rates[Math.round(q * (rates.length - 1))];
  for (const group of groups) {
    const row = body.insertRow();
    const cells = [group.name, String(group.clients), ...["down_Bps", "up_Bps"].flatMap(
      way => [.1, .5, .9].map(q => rate(at_(group[way], q))))];
    for (const text of cells) row.insertCell().textContent = text;
  }
};
