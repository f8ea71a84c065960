// Sends the form to the server and shows what comes back. The server makes all texts and figures.
"use strict";
(() => {
const el = id => document.getElementById(id);
const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const make = (tag, options = {}, inside = []) => {
  const made = Object.assign(document.createElement(tag), options);
  made.append(...inside);
  return made;
};
const post = (path, content, signal) =>
  fetch(path, { method: "POST", body: JSON.stringify(content), signal });

// -- numbers of sliders and texts of fields

const UNITS = { bps: 1, kbps: 1e3, Mbps: 1e6, Gbps: 1e9, ms: 1e-3, s: 1, "%": .01, "": 1 };
const STEPS = 1000;
const short = value => String(Number(value.toPrecision(3)));
const scaled = (value, units) => {
  const unit = units.find(each => value >= UNITS[each]) || units[units.length - 1];
  return `${short(value / UNITS[unit])} ${unit}`;
};
const TEXTS = {
  rate: value => scaled(value, ["Gbps", "Mbps", "kbps"]),
  duration: value => value ? scaled(value, ["s", "ms"]) : "0",
  share: value => value ? `${short(100 * value)} %` : "0",
  factor: short,
  count: value => String(Math.round(value)),
  value: value => value.toFixed(2),
};
const numberOf = text => {
  const found = /^\s*([0-9.]+(?:e[-+]?[0-9]+)?)\s*([a-zA-Z%]*)\s*$/.exec(text);
  return found && found[2] in UNITS ? Number(found[1]) * UNITS[found[2]] : null;
};
const isLinear = field => field.kind === "count" || field.kind === "value";
const valueAt = (field, step) => {
  if (isLinear(field)) return field.low + (field.high - field.low) * step / STEPS;
  if (step === 0 && (field.kind === "duration" || field.kind === "share")) return 0;
  return field.low * (field.high / field.low) ** (step / STEPS);
};
const stepOf = (field, text) => {
  const value = numberOf(text);
  if (value === null) return 0;
  const share = isLinear(field) ? (value - field.low) / (field.high - field.low)
    : Math.log(Math.max(value, field.low) / field.low) / Math.log(field.high / field.low);
  return Math.round(STEPS * Math.min(1, Math.max(0, share)));
};

// -- the form

let form, fields, kept = [];
const texts = new Map();  // of the fields that were changed
const textOf = name => texts.has(name) ? texts.get(name) : fields.get(name).text;
const inputs = new Map();
const setText = (name, text) => {
  const field = fields.get(name), { row, input, slider } = inputs.get(name);
  if (text === field.text) texts.delete(name);
  else texts.set(name, text);
  row.classList.toggle("changed", texts.has(name));
  if (input.value !== text) input.value = text;
  if (slider && document.activeElement !== slider) slider.value = stepOf(field, text);
};
// Fields of one link that depend on each other: a preset fills in what has no text.
const change = (name, text) => {
  setText(name, text);
  const owner = name.replace(/\.(preset|up\.ratio|up|cells\.[a-z]+)$/, "");
  const other = key => `${owner}.${key}`;
  if (!fields.has(other("preset"))) return draw();
  if (name === other("preset")) {
    for (const key of ["down", "up", "up.ratio", "rtt"]) {
      setText(other(key), text ? "" : fields.get(other(key)).text);
    }
  }
  if (name === other("up") && text) setText(other("up.ratio"), "");
  if (name === other("up.ratio")) setText(other("up"), text ? "" : fields.get(other("up")).text);
  if (name === other("cells.clients") && numberOf(text)) {
    for (const key of ["cells.down", "cells.up"].map(other)) {
      if (!textOf(key)) setText(key, fields.get(key).placeholder);
    }
  }
  return draw();
};
const rowOf = field => {
  const label = make("span", { textContent: field.label });
  let input, slider = null;
  if (field.choices.length) {
    input = make("select", {}, field.choices.map(
      ([value, textContent]) => make("option", { value, textContent })));
  } else {
    input = make("input", { placeholder: field.placeholder, spellcheck: false });
    if (field.high) slider = make("input", { type: "range", min: 0, max: STEPS });
    else input.className = "alone";
  }
  input.name = field.name;
  input.addEventListener(field.choices.length ? "change" : "input",
    () => change(field.name, input.value.trim()));
  if (slider) {
    slider.setAttribute("aria-label", field.label);
    slider.dataset.of = field.name;
    slider.addEventListener("input",
      () => change(field.name, TEXTS[field.kind](valueAt(field, Number(slider.value)))));
  }
  const row = make("label", { className: "field" }, [label, ...(slider ? [slider] : []), input]);
  inputs.set(field.name, { row, input, slider });
  return row;
};
const load = async start => {
  form = await answerTo(await post("form", { start }));
  if (!form) return;
  fields = new Map(form.sections.flatMap(each => each.fields).map(field => [field.name, field]));
  texts.clear();
  inputs.clear();
  el("name").textContent = document.title = `Explore ${form.name}`;
  el("start").replaceChildren(...form.starts.map(
    value => make("option", { value, textContent: value, selected: value === form.start })));
  el("start-row").hidden = form.starts.length < 2;
  el("sections").replaceChildren(...form.sections.flatMap(section => section.fields.length
    ? [make("h2", { textContent: section.title }), ...section.fields.map(rowOf)] : []));
  for (const field of fields.values()) setText(field.name, field.text);
  el("copy-scenario").hidden = form.logged;
  return draw();
};

// -- drawing: one request at a time; the next one stops it

const PATIENCE_MS = 300;  // a drawing that has shown nothing may take so long before it is stopped
let running = null, begun = 0, isWaiting = false, drawn = 0;
const asked = () => ({ start: form.start, texts: Object.fromEntries(texts) });
const draw = () => {
  const rest = begun + PATIENCE_MS - performance.now();
  if (!running || running.hasShown || rest <= 0) return begin();
  if (!isWaiting) setTimeout(() => isWaiting && begin(), rest);
  isWaiting = true;
};
const begin = async () => {
  running?.abort();
  const mine = running = new AbortController();
  [begun, isWaiting] = [performance.now(), false];
  document.body.dataset.busy = "yes";
  try {
    const answer = await post("draw", { ...asked(), kept }, mine.signal);
    if (!answer.ok) return complain(await answer.text());
    let rest = "";
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        if (rest) show(rest);
        break;
      }
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      lines.forEach(show);
      mine.hasShown = true;
      if (isWaiting) begin();
    }
  } catch (error) {
    if (error.name !== "AbortError") complain(`No answer: is flasc-emu explore running? (${error})`);
  } finally {
    if (running === mine) {
      running = null;
      document.body.dataset.busy = "";
      if (isWaiting) begin();
    }
  }
};
const answerTo = async answer => {
  if (!answer.ok) return complain(await answer.text());
  const found = await answer.json();
  return found.problem ? complain(found.problem) : found;
};
const complain = text => {
  el("problem").textContent = text;
  el("problem").hidden = false;
  el("results").classList.add("stale");
};
const plot = (id, { data, layout }) => {
  const axis = more => ({ gridcolor: style("--line"), linecolor: style("--line"), zeroline: false,
    automargin: true, ...more });
  const xaxis = axis(layout.xaxis);
  if (el("log").checked) {
    delete xaxis.range;
    Object.assign(xaxis, { type: "log", dtick: "D2" });
  }
  Plotly.react(el(id), data, {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
    font: { family: "system-ui, sans-serif", color: style("--ink"), size: 12 },
    margin: { l: 10, r: 14, t: 10, b: 10 }, bargap: .2,
    hoverlabel: { bgcolor: style("--card"), font: { color: style("--ink") }, align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: style("--soft"), activecolor: style("--ink") },
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", traceorder: "normal" },
    ...layout, xaxis, yaxis: axis(layout.yaxis),
  }, { responsive: true, displaylogo: false, displayModeBar: "hover",
    modeBarButtons: [["toImage"]], toImageButtonOptions: { format: "svg", filename: id } });
};
let last = null;
const show = line => {
  const view = JSON.parse(line.replaceAll('"#000000"', JSON.stringify(style("--ink"))));
  if (view.problem) return complain(view.problem);
  last = line;
  el("problem").hidden = true;
  el("results").classList.remove("stale");
  el("answer").textContent = view.answer;
  el("state").textContent = view.of > 1 ? `${view.done} of ${view.of} runs per method. ` : "";
  el("notes").replaceChildren(...view.notes.map(textContent => make("li", { textContent })));
  const { heads, rows, bold, caption } = view.table;
  el("caption").textContent = caption;
  el("table").replaceChildren(
    make("thead", {}, [make("tr", {}, heads.map(textContent => make("th", { textContent })))]),
    make("tbody", {}, rows.map((row, y) => make("tr", {}, row.map((textContent, x) => make("td",
      { textContent, className: x && bold[y][x - 1] ? "best" : "" }))))));
  plot("times", view.times);
  plot("curves", view.curves);
  document.body.dataset.drawn = ++drawn;
};

// -- comparison and copies

const labelOf = () => [...texts].map(([name, text]) => `${fields.get(name).label} ${text || "none"}`)
  .filter(text => !text.endsWith(" none")).join(", ") || form.start;
const listKept = () => {
  el("kept").replaceChildren(...kept.map((each, k) => {
    const button = make("button", { type: "button", textContent: "remove" });
    button.addEventListener("click", () => { kept.splice(k, 1); listKept(); });
    return make("li", {}, [`${each.label} `, button]);
  }));
  draw();
};
el("keep").addEventListener("click", () => {
  kept.push({ ...asked(), label: labelOf() });
  listKept();
});
for (const kind of ["scenario", "network"]) {
  el(`copy-${kind}`).addEventListener("click", async () => {
    const copies = await answerTo(await post("scenario", asked())), yaml = el("yaml");
    if (!copies) return;
    yaml.value = copies[kind];
    yaml.hidden = false;
    yaml.select();
    const isCopied = await navigator.clipboard?.writeText(yaml.value).then(() => true, () => false);
    el("copied").textContent = `${isCopied ? "Copied. " : ""}${kind === "network"
      ? "Save it as a file for flasc-emu run … --network FILE." : "Save it as a file for flasc-emu run."}`;
  });
}
el("start").addEventListener("change", () => load(el("start").value));
el("reset").addEventListener("click", () => load(form.start));
el("log").addEventListener("change", () => last && show(last));
el("form").addEventListener("submit", event => event.preventDefault());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => last && show(last));
load("");
})();
