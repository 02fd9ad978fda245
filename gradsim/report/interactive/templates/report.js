// What the reader has chosen, and the page that shows it.

const state = { group: 0, kind: "quenched", shade: "gain", quantity: "log_delta", cell: null };
const find = (id) => document.getElementById(id);
let phaseView = null;
let markRow = () => {};

const chosenRows = () => cells.filter((row) => row.group === state.group);
const chosenBoundaries = () => boundaries.filter((row) => row.group === state.group && row.kind === state.kind);

function fill(select, options, value) {
  select.replaceChildren(...options.map(([key, label]) => new Option(label, key, false, String(key) === String(value))));
}

// Selects of the axes show the values that occur; a choice without an exact match takes the nearest combination.
function fillChoices() {
  const now = groups[state.group];
  for (const name of report.axes) {
    const values = [...new Set(report.groups[name])];
    const select = find(`choose-${name}`);
    fill(select, values.map((value, i) => [i, String(value)]), values.indexOf(now[name]));
    select.parentElement.hidden = values.length < 2;
    select.onchange = () => {
      const agree = (group) => report.axes.filter((axis) => group[axis] === { ...now, [name]: wanted }[axis]).length;
      const wanted = values[Number(select.value)];
      const fitting = groups.map((group, i) => [i, group]).filter(([, group]) => group[name] === wanted);
      state.group = fitting.reduce((best, one) => (agree(one[1]) > agree(best[1]) ? one : best))[0];
      state.cell = null;
      shown(showAll);
    };
  }
  for (const [name, labels] of Object.entries(report.choices)) {
    const select = find(`choose-${name}`);
    fill(select, Object.entries(labels), state[name]);
    select.onchange = () => {
      state[name] = select.value;
      shown(showAll);
    };
  }
}

function showVerdict() {
  const sentences = chosenBoundaries().sort((one, other) => other.depth - one.depth).map((row) => row.verdict);
  const details = find("verdict").querySelector("details") ?? node("details");
  const summary = details.querySelector("summary") ?? node("summary");
  const others = sentences.slice(1).map((sentence) => node("li", { textContent: sentence }));
  details.replaceChildren(summary, node("ul", {}, others));
  const shown = sentences.length ? [node("p", { className: "lead", textContent: sentences[0] })] : [];
  find("verdict").replaceChildren(...shown, ...(others.length ? [details] : []));
}

function decadesOf(row) {
  return row.shown === null ? say("dead") : say("option_decades", { decades: short(row.shown) });
}

function fillList(rows) {
  const select = find("cells");
  const options = rows.map((row) => [
    row.cell,
    say("option", { depth: row.depth, sigma_w: short(row.sigma_w), decades: decadesOf(row) }),
  ]);
  fill(select, options, state.cell);
  select.onchange = () => choose(cells.find((row) => row.cell === Number(select.value)));
}

// The page says of itself whether all diagrams are drawn.
async function shown(drawing) {
  document.documentElement.dataset.ready = "no";
  await drawing();
  document.documentElement.dataset.ready = "yes";
}

// The phase diagram is there already, unless the combination changes.
function choose(row) {
  const moved = row.group !== state.group;
  Object.assign(state, { group: row.group, cell: row.cell });
  if (!moved) phaseView.data("chosen", [row]).run();
  return shown(moved ? showAll : () => showCell(row));
}

async function showCell(row) {
  const { cell, depth } = row;
  find("cells").value = String(cell);
  markRow(row);
  find("chosen").textContent = say("chosen", { cell, depth, sigma_w: short(row.sigma_w) });
  const there = inside.has(cell) && alive(cell);
  for (const id of ["layers", "bars"]) find(id).hidden = !there;
  find("layers-caption").textContent = there ? caption(cell, depth) : inside.has(cell) ? say("nothing") : missing(cell);
  find("bars-caption").textContent = there ? say("bars", { dead: `${short(100 * (row.dead_fraction ?? 0))} %` }) : "";
  const label = report.choices.quantity[state.quantity];
  if (there) await Promise.all([drawLayers(cell, state.quantity, label), drawBars(cell)]);
}

function caption(cell, depth) {
  const shown = inside.get(cell).shown.length;
  return say("bands") + (shown < depth ? ` ${say("thinned", { shown, depth })}` : "");
}

function missing(cell) {
  return say("not_inside", { inside: inside.size, cells: cells.length, command: `gradsim layers DIR --cell ${cell}` });
}

// The cell of the reader's choice, or else of those with layers the one whose gain is nearest to 1.
function chosenOf(rows) {
  const far = (row) => (inside.has(row.cell) ? 0 : 1e9) + Math.abs(row.shown ?? 1e6);
  return rows.find((row) => row.cell === state.cell) ?? rows.reduce((best, row) => (far(row) < far(best) ? row : best));
}

async function showAll() {
  for (const row of cells) {
    row.shown = row[state.kind];
    const [low, high] = [row[`${state.kind}_low`], row[`${state.kind}_high`]];
    row.interval = low === null || high === null ? say("none") : `${short(low)} … ${short(high)}`;
  }
  const rows = chosenRows();
  const row = chosenOf(rows);
  state.cell = row.cell;
  fillChoices();
  showVerdict();
  fillList(rows);
  find("phase-caption").textContent = say(state.shade === "gain" ? "phase_caption" : "shade_caption");
  phaseView = await drawPhase(rows, chosenBoundaries(), state, row, choose);
  await showCell(row);
}

const columnsOf = (names, texts) =>
  names.map((name) => ({ name, label: report.names[name] ?? report.words[name] ?? name, text: texts.includes(name), wide: name === "reason" }));
const boundaryNames = ["depth", "kind", "sigma_w", "ci_low", "ci_high", "theory", "z", "theory_width", "z_width", "theory_inf"];
const cellNames = ["depth", "sigma_w", "quenched", "median", "annealed", "std", "q05", "q95", "live_share", "dead_fraction"];
const cellRest = ["nonfinite_fraction", "networks", "chi_1", "phase", "complete", "trusted", "reason"];
const boundaryRest = ["live_share", "trusted", "reason"];
const texts = ["activation", "law", "kind", "reason", "phase", "complete", "trusted"];
Object.assign(report.words, { ci_low: say("low"), ci_high: say("high") });
makeTable(find("boundary-table"), "theory-title", columnsOf([...report.axes, ...boundaryNames, ...boundaryRest], texts), boundaries);
markRow = makeTable(
  find("cell-table"), "table-title", columnsOf(["cell", ...report.axes, ...cellNames, ...cellRest], texts), cells, choose);
shown(showAll);
