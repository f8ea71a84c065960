// -- targets: the slider moves the first table, the bars and the table of all numbers

let aim = run.targets.own;  // index of the target that is shown
// Seconds, rounds, bytes down and up to the target; null if it was not reached.
const aimed = e => e.costs.at[aim] < 0 ? null : e.costs.of[e.costs.at[aim]];
const aimedTime = e => aim === run.targets.own ? e.time_s : (aimed(e) || [null])[0];

const orNever = (value, text) => Number.isFinite(value) ? text(value) : "never";
// The median, least and greatest of the seconds to a target; null is never.
const spread = times => {
  const known = times.map(s => s === null ? Infinity : s);
  return { median: median(known), low: Math.min(...known), high: Math.max(...known),
    reached: known.filter(Number.isFinite).length, count: known.length };
};
const rangeText = spread => {
  const [low, high] = [spread.low, spread.high].map(each => orNever(each, duration));
  return low === high ? "" : `${low} – ${high}`;
};
const cellsOf = emulations => {
  const costs = emulations.map(e => aimed(e) || [null, null, null, null]);
  const column = k => costs.map(each => each[k]);
  const times = spread(column(0));
  const middle = k => median(column(k));
  return {
    Time: [times.median, orNever(times.median, duration)],
    Range: [times.low, rangeText(times) || orNever(times.low, duration)],
    Seeds: [times.reached, `${times.reached} of ${times.count}`],
    Rounds: [middle(1), orNever(middle(1), String)],
    Down: [middle(2), orNever(middle(2), size)],
    Up: [middle(3), orNever(middle(3), size)],
  };
};
const retable = () => {
  const table = el("results").querySelector("table");
  const heads = [...table.tHead.rows[0].cells].map(cell => cell.textContent);
  for (const row of table.tBodies[0].rows) {
    const [method, variant] = [0, 1].map(k => Number(row.cells[k].dataset.key));
    const cells = cellsOf(run.emulations.filter(e => e.method === method && e.variant === variant));
    heads.forEach((head, k) => {
      if (!(head in cells)) return;
      [row.cells[k].dataset.key, row.cells[k].textContent] = cells[head];
    });
  }
};
// Two decimals, unless these are not the value.
const targetText = value => Math.abs(Number(value.toFixed(2)) - value) < 1e-9 && value < 1e6
  ? value.toFixed(2) : String(Number(value.toPrecision(6)));
const aimText = () => `${run.curved} ${targetText(run.targets.values[aim])}`;
const sayAim = () => {
  const own = aim === run.targets.own ? ", the run's own" : "";
  el("aim-say").textContent = `${aimText()}${own}`;
};
const drawAim = () => {
  aim = Number(el("aim").value);
  sayAim();
  const own = aim === run.targets.own, text = aimText();
  document.querySelectorAll("[data-goal]").forEach(part => { part.textContent = text; });
  document.querySelectorAll("[data-own-target]").forEach(part => { part.hidden = !own; });
  el("aim-note").textContent = own ? "" : `Time, rounds and bytes are to ${text}, as the slider above says.`;
  retable();
  for (const each of [drawTop, drawGoals, drawTimes]) each();
  if (!el("sweep-section").hidden) drawSweep();
};
