// -- drawing and controls

const drawAll = () => {
  for (const symbol of document.querySelectorAll("[data-shade]")) {
    symbol.style.color = colour(Number(symbol.dataset.shade));
  }
  drawTop();
  for (const [id, ...draws] of SECTIONS) {
    if (!el(id).hidden && el(id).open !== false) for (const each of draws) each();
  }
};
const SECTIONS = [["goals-section", drawGoals], ["sweep-section", drawSweep], ["times-section", drawTimes],
  ["curves-section", drawCurves], ["heat-section", drawHeat], ["parts-section", drawParts],
  ["causes-section", drawCauses], ["waste-section", drawWaste],
  ["left-section", drawUnheard, drawServed], ["round-section", drawRound],
  ["fleet-section", drawFleet]];
// A chart has no size while its section is folded: it is drawn when that opens.
for (const [id, ...draws] of SECTIONS) {
  el(id).addEventListener("toggle", () => { if (el(id).open) for (const each of draws) each(); });
}
const openLinked = () => {
  const linked = location.hash.length > 1 && el(decodeURIComponent(location.hash.slice(1)));
  if (linked && "open" in linked) linked.open = true;
};
const listContents = () => {
  for (const heading of document.querySelectorAll("h2")) {
    const section = heading.closest("details, section");
    if (section.hidden) continue;
    const link = el("contents").appendChild(document.createElement("a"));
    link.href = `#${section.id}`;
    link.textContent = heading.textContent;
    link.onclick = () => { if ("open" in section) section.open = true; };
  }
};
const sortable = button => button.addEventListener("click", () => {
  const head = button.parentElement, column = head.cellIndex;
  const body = head.closest("table").tBodies[0];
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = row => Number(row.cells[column].dataset.key);
  const order = (a, b) => key(a) === key(b) ? 0 : (key(a) < key(b) ? -1 : 1) * (up ? 1 : -1);
  body.append(...[...body.rows].sort(order));
});
document.querySelectorAll("th button").forEach(sortable);

const indexed = names => names.map((name, k) => [k, name]);
chips("methods", run.methods.map((m, i) => [i, m, SYMBOLS[i % SYMBOLS.length][1], i]), chosen.methods);
chips("variants", run.variants.map((v, i) => [i, v, ""]), chosen.variants);
chips("seeds", seeds.map(s => [s, String(s), ""]), chosen.seeds);
el("variants").hidden = run.variants.length < 2;
el("seeds").hidden = seeds.length < 2;
el("round-seed").parentElement.hidden = seeds.length < 2;
const last = run.variants.length - 1;
fill("goals-variant", indexed(run.variants), last, drawGoals);
fill("curves-variant", indexed(run.variants), last, drawCurves);
fill("heat-variant", indexed(run.variants), last, drawHeat);
fill("fleet-variant", indexed(run.variants), last, drawFleet);
fill("round-variant", indexed(run.variants), last, drawRound);
fill("round-method", indexed(run.methods), 0, drawRound);
fill("round-seed", seeds.map(s => [s, s]), seeds[0], drawRound);
fill("curves-against", Object.entries(AGAINST).map(([k, [title]]) => [k, title]), "time", drawCurves);
fill("curves-method", indexed(run.methods), 0, drawCurves);
fill("curves-lines", [["methods", "methods"], ["variants", run.trades ? "variants" : "networks"]],
  run.trades ? "variants" : "methods", drawCurves);
el("curves-lines").parentElement.hidden = run.variants.length < 2;
fill("causes-by", [["methods", "method"], ["groups", "group of clients"]], "methods", drawCauses);
fill("waste-of", [["bytes", "bytes"], ["compute_s", "compute"]], "bytes", drawWaste);
const swept = run.maps.length ? run.maps : run.sweeps;
el("sweep-section").hidden = !swept.length || run.sweeps.every(s => s.values.length < 2) && !run.maps.length;
fill("sweep-of", swept.map((s, k) => [k, s.rest]), 0, drawSweep);
el("sweep-of").parentElement.hidden = swept.length < 2;
el("curves-log").onchange = drawCurves;
el("times-log").onchange = drawTimes;
el("goals-log").onchange = drawGoals;
el("goals-section").hidden = run.targets.values.length < 2;
el("goals-variant").parentElement.hidden = run.variants.length < 2;
el("aim-line").hidden = run.targets.values.length < 2;
el("aim").max = Math.max(0, run.targets.values.length - 1);
el("aim").value = aim;
el("aim").oninput = drawAim;
if (run.targets.values.length) sayAim();
el("parts-share").onchange = drawParts;
el("causes-share").onchange = drawCauses;
el("waste-share").onchange = drawWaste;
el("round-number").oninput = drawRound;
el("round-back").onclick = steps(-1);
el("round-on").onclick = steps(1);
const pairs = new Set(Object.values(run.densities).map(String));
el("heat-section").hidden = pairs.size < 2;
el("fleet-section").hidden = !Object.keys(run.fleet).length;
const all = key => run.emulations.flatMap(e => e[key]);
el("causes-section").hidden = !all("causes").length;
el("causes-by").parentElement.hidden = run.groups.length < 2;
el("waste-section").hidden = !run.emulations.some(e => e.bytes[1] || e.compute_s[1]);
el("waste-of").parentElement.hidden = !all("compute_s").some(s => s > 0);
el("left-section").hidden = !run.emulations.some(e => e.unheard);
const times = run.emulations.map(e => e.time_s).filter(s => s > 0);
el("times-log").checked = isWide(times);
el("goals-log").checked = true;
// What says nothing new is folded: clients that are all alike, one group of them.
const alike = Object.values(run.fleet).every(groups => groups.length === 1
  && [...groups[0].down_Bps, ...groups[0].up_Bps].length === 2);
const known = Object.keys(run.fleet).length > 0;
el("fleet-section").open = el("round-section").open = !(known && alike);
el("left-section").open = run.groups.length > 1;
document.querySelectorAll(".chart").forEach(addSave);
listContents();
addEventListener("hashchange", openLinked);
openLinked();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
let wasNarrow = narrow();
addEventListener("resize", () => {
  if (narrow() !== wasNarrow) { wasNarrow = narrow(); drawAll(); }
});
drawAll();
