// The data of the page, decoded: rows from columns, curves from numbers of 16 bits.

const report = JSON.parse(document.getElementById("data").textContent);

const say = (key, values = {}) =>
  report.words[key].replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));

function rowsOf(columns) {
  const names = Object.keys(columns);
  return columns[names[0]].map((_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]])));
}

const groups = rowsOf(report.groups);
const cells = rowsOf(report.cells);
const boundaries = rowsOf(report.boundaries);
for (const row of [...cells, ...boundaries]) Object.assign(row, groups[row.group]);
for (const row of cells) row.networks ??= 0;

const short = (value) => (value === null ? say("none") : String(Number(value.toPrecision(4))).replace("-", "−"));

// Where the curves of each cell begin among the numbers of a quantity.
const inside = new Map();
{
  let start = 0;
  report.layers.cells.forEach((cell, i) => {
    const shown = report.layers.shown[report.layers.depths[i]];
    inside.set(cell, { i, start, shown });
    start += shown.length * report.layers.curves.length;
  });
}

const decoded = {};
function numbersOf(quantity) {
  if (!decoded[quantity]) {
    const bytes = Uint8Array.from(atob(report.layers.quantities[quantity].codes), (letter) => letter.charCodeAt(0));
    decoded[quantity] = new DataView(bytes.buffer);
  }
  return decoded[quantity];
}

// Rows (layer, median, mean, quantiles) of a quantity of a cell; null where a number is not finite.
function curveOf(cell, quantity) {
  const { i, start, shown } = inside.get(cell);
  const view = numbersOf(quantity);
  const { low, step } = report.layers.quantities[quantity];
  const value = (place) => {
    const code = view.getInt16(2 * place, true);
    return code === -32768 ? null : low[i] + step[i] * code;
  };
  const rows = shown.map((layer, k) => {
    const row = { layer };
    report.layers.curves.forEach((name, j) => (row[name] = value(start + j * shown.length + k)));
    return row;
  });
  const finite = rows.flatMap((row) => report.layers.curves.map((name) => row[name])).filter((one) => one !== null);
  const bottom = finite.length ? Math.min(...finite) : 0; // a band reaches it where its lower quantile is dead
  for (const row of rows) {
    row.floor05 = row.q95 === null ? null : row.q05 ?? bottom;
    row.floor25 = row.q75 === null ? null : row.q25 ?? bottom;
  }
  return rows;
}
