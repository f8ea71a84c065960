// Common parts of all charts; the selection.
// -- plotting

const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const axis = more => ({
  gridcolor: style("--line"), linecolor: style("--line"), zeroline: false, automargin: true,
  tickfont: { size: 12 }, ...more,
});
const axisType = log => log ? { type: "log", dtick: "D2" } : { type: "linear" };
// The numbers of each chart as rows, the first one of headings; a button beside it saves them.
const numbers = {};
const draw = (id, traces, layout, table) => {
  numbers[id] = table;
  Plotly.react(el(id), traces, {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
    font: { family: "system-ui, sans-serif", color: style("--ink"), size: 12 },
    margin: { l: 10, r: 14, t: 10, b: 10 }, dragmode: narrow() ? false : "zoom",
    hoverlabel: { bgcolor: style("--card"), font: { color: style("--ink") }, align: "left" },
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", itemclick: false,
      itemdoubleclick: false, itemwidth: 36, traceorder: "normal", maxheight: .7 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: style("--soft"), activecolor: style("--ink") },
    ...layout,
  }, { responsive: true, displaylogo: false, displayModeBar: narrow() ? false : "hover",
    modeBarButtons: [["toImage"]], doubleClick: "reset", toImageButtonOptions: { format: "svg", filename: id } });
};
const quoted = value => /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
const csv = table => table.map(row => row.map(value => quoted(value === null || value === Infinity
  ? "" : String(value))).join(",")).join("\n") + "\n";
const addSave = chart => {
  const button = document.createElement("button"), before = chart.previousElementSibling;
  const line = before?.classList.contains("choices") ? before : document.createElement("p");
  button.textContent = "CSV";
  button.title = "save the numbers of this chart";
  button.onclick = () => {
    if (!numbers[chart.id]) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv(numbers[chart.id])], { type: "text/csv" }));
    link.download = `${chart.id}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  line.classList.add("choices");
  line.append(button);
  if (line !== before) chart.before(line);
};
// Phases differ by pattern as well.
const pattern = phase => ({ shape: ["", ".", "/", "-", "x", "\\", "|", "+"][phase], fillmode: "overlay",
  fgcolor: "#fff", fgopacity: .6, size: 7, solidity: .25 });
const empty = (id, text) => draw(id, [], {
  height: 120, xaxis: { visible: false }, yaxis: { visible: false },
  annotations: [{ text: plain(text), showarrow: false, x: .5, y: .5, xref: "paper", yref: "paper" }],
});
const isWide = values => values.length > 0 && Math.max(...values) > run.wide * Math.min(...values);

// -- selection

const seeds = [...new Set(run.emulations.map(e => e.seed))].sort((a, b) => a - b);
const chosen = {
  methods: new Set(run.methods.keys()), variants: new Set(run.variants.keys()),
  seeds: new Set(seeds),
};
const found = (method, variant) => run.emulations.filter(
  e => e.method === method && e.variant === variant && chosen.seeds.has(e.seed));
const inOrder = set => [...set].sort((a, b) => a - b);
const chips = (id, entries, set) => {
  for (const [value, text, mark, shade] of entries) {
    const label = document.createElement("label"), box = document.createElement("input");
    label.className = "chip";
    box.type = "checkbox";
    box.checked = true;
    box.onchange = () => { set[box.checked ? "add" : "delete"](value); drawAll(); };
    const symbol = document.createElement("span");
    symbol.textContent = mark;
    symbol.setAttribute("aria-hidden", "true");
    if (shade !== undefined) symbol.dataset.shade = shade;
    label.append(box, symbol, text);
    el(id).append(label);
  }
};
const fill = (id, names, value, redraw) => {
  el(id).replaceChildren(...names.map(([key, text]) => new Option(text, key)));
  el(id).value = String(value);
  el(id).onchange = redraw;
};
const at = id => Number(el(id).value);
