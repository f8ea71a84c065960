// Text, numbers and colours. Names are plain text: escape them for plotly.js with `plain` or `wrapped`.
const run = JSON.parse(document.getElementById("data").textContent);
const el = id => document.getElementById(id);
const narrow = () => document.documentElement.clientWidth < 640;
const SYMBOLS = [["circle", "●"], ["square", "■"], ["diamond", "◆"], ["triangle-up", "▲"],
  ["triangle-down", "▼"], ["cross", "✚"], ["x", "✖"], ["star", "★"]];
const DASHES = ["solid", "dash", "dot", "dashdot"];

// -- text and numbers

// plotly.js interprets some tags and entities, and $...$ as mathematics.
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;" };
const plain = text => text.replace(/[&<>$]/g, sign => ENTITIES[sign]);
const wrapped = (text, room) => {
  const lines = [""];
  for (const word of text.split(" ")) {
    for (const part of word.match(new RegExp(`.{1,${room}}`, "gu")) || [""]) {
      const last = lines[lines.length - 1];
      if (last && last.length + 1 + part.length > room) lines.push(part);
      else lines[lines.length - 1] = last ? `${last} ${part}` : part;
    }
  }
  return lines.map(plain).join("<br>");
};
const duration = s => {
  if (s < 1) return `${Math.round(s * 1e3)} ms`;
  if (s < 99.95) return `${s.toFixed(1)} s`;
  const whole = Math.round(s), two = n => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole % 3600 / 60))} min`;
};
const scaled = (value, units) => {
  for (const unit of units) {
    if (Math.abs(value) < 999.5) return `${Number(value.toPrecision(3))} ${unit}`;
    value /= 1000;
  }
  return `${Number((value * 1000).toPrecision(3))} ${units[units.length - 1]}`;
};
const size = nbytes => scaled(nbytes, ["B", "kB", "MB", "GB", "TB"]);
const rate = Bps => scaled(8 * Bps, ["bps", "kbps", "Mbps", "Gbps", "Tbps"]);
// Names the statistic at a number, if there are several seeds.
const named = (name, { emulations }, text) => emulations.length > 1 ? `${name} ${text}` : text;
const neverText = ({ emulations }, timeOf = e => e.time_s) => {
  const count = emulations.filter(e => timeOf(e) === null).length;
  if (!count) return "";
  return emulations.length > 1 ? `${count} of ${emulations.length} seeds never` : "never";
};
const timeUnit = longest_s =>
  [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([s]) => longest_s > 2 * s) ||
  [1e-3, "ms"];
const fraction = density => density >= 1 ? "1" :
  Math.abs(1 / density - Math.round(1 / density)) < 1e-3 ? `1/${Math.round(1 / density)}`
    : String(density);
const median = values => {
  const ordered = values.map(v => v === null ? Infinity : v).sort((a, b) => a - b);
  const middle = (ordered.length - 1) / 2;
  return (ordered[Math.floor(middle)] + ordered[Math.ceil(middle)]) / 2;
};
const percent = share => `${(100 * share).toFixed(0)} %`;
const mean = values => values.reduce((a, b) => a + b, 0) / values.length;
const colour = i => {
  const found = run.colours[i % run.colours.length];
  return found === "#000000" ? style("--ink") : found;
};
