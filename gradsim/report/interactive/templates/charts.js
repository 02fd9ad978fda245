// The diagrams: specifications of Vega-Lite with the data of the moment.

const copyOf = (value) => JSON.parse(JSON.stringify(value));

function draw(id, spec, datasets, label) {
  const place = document.getElementById(id);
  place.setAttribute("aria-label", label); // the only words for readers of the screen: the numbers are in the tables
  for (const layer of spec.layer ?? [spec]) layer.mark = { ...layer.mark, aria: false };
  const options = { renderer: "svg", actions: false, config: report.charts.config, tooltip: { theme: "custom" } };
  return vegaEmbed(place, { ...spec, datasets }, options).then(({ view }) => view);
}

const oneIn = (values, most) => values.filter((_, i) => i % Math.ceil(values.length / most) === 0);

function phaseSpec(rows, state) {
  const spec = copyOf(report.charts.phase);
  const colour = copyOf(report.charts.shades[state.shade]);
  const gain = state.shade === "gain";
  colour.field = gain ? "shown" : colour.field;
  if (gain) {
    const sizes = rows.map((row) => Math.abs(row.shown ?? 0)).sort((one, other) => one - other);
    const end = Math.max(1, Math.ceil(sizes[Math.floor(0.8 * (sizes.length - 1))])); // an extreme corner does not set it
    colour.scale.domain = [-end, end];
  }
  const none = { test: `!isValid(datum["${colour.field}"])`, value: "#9a9a9a" };
  const legend = { gradientLength: 220, title: colour.title };
  spec.layer[0].encoding.color = { field: colour.field, type: "quantitative", scale: colour.scale, legend, condition: none };
  const depths = [...new Set(rows.map((row) => row.depth))].sort((one, other) => one - other);
  const ends = (low, high) => [Math.min(...rows.map((row) => row[low])), Math.max(...rows.map((row) => row[high]))];
  const [low, high] = ends("x0", "x1");
  for (const layer of spec.layer) {
    layer.encoding.y.axis = { ...layer.encoding.y.axis, values: oneIn(depths, 10), format: "d" };
    layer.encoding.x.scale = { ...layer.encoding.x.scale, domain: [low, high] }; // layers without data have no extent
    layer.encoding.y.scale = { ...layer.encoding.y.scale, domain: ends("y0", "y1") };
    if (low > 0 && high / low > 8) layer.encoding.x.scale.type = "log";
    layer.mark.clip = true;
  }
  spec.height = Math.min(420, 130 + 26 * depths.length);
  return spec;
}

function theoryRows(rows) {
  const names = { theory: say("theory"), theory_width: say("theory_width") };
  return Object.entries(names).flatMap(([column, name]) =>
    rows.filter((row) => row[column] !== null).map((row) => ({ name, depth: row.depth, sigma_w: row[column] })),
  );
}

async function drawPhase(rows, found, state, chosen, choose) {
  const measured = found
    .filter((row) => row.sigma_w !== null)
    .map((row) => ({ ...row, name: say(row.trusted ? "measured" : "untrusted") }));
  const datasets = { cells: rows, chosen: [chosen], theory: theoryRows(found), boundaries: measured };
  const view = await draw("phase", phaseSpec(rows, state), datasets, say("phase_label"));
  view.addEventListener("click", (_, item) => {
    if (item?.datum && "x0" in item.datum) choose(cells.find((row) => row.cell === item.datum.cell));
  });
  return view;
}

const alive = (cell) => cell in report.histograms; // of other cells there is nothing to draw

function drawLayers(cell, quantity, label) {
  const spec = copyOf(report.charts.layers);
  for (const layer of spec.layer) layer.encoding.y.title = label;
  return draw("layers", spec, { curve: curveOf(cell, quantity) }, say("layers_label", { quantity: label }));
}

function drawBars(cell) {
  const [first, width, counts] = report.histograms[cell];
  const total = counts.reduce((sum, count) => sum + count, 0);
  const bars = counts.map((count, i) => ({ low: first + i * width, high: first + (i + 1) * width, share: count / total }));
  return draw("bars", report.charts.bars, { bars }, say("bars_label"));
}
