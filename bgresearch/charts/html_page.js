// Draws the visible part of a chart from the finest of its levels that needs few enough bars.
// The data are stored in the page, packed by encoding.py; a level is unpacked when it is needed for the first time.
// downsampling.py chooses and cuts levels the same way, for notebooks.

async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

async function unpackedColumn(column) {
  if (Array.isArray(column)) return column;
  if (column.floats !== undefined) return new Float32Array(await inflated(column.floats));
  if (column.doubles !== undefined) return new Float64Array(await inflated(column.doubles));
  const planes = new Uint8Array(await inflated(column.deltas));
  const count = planes.length / 4;
  const numbers = new Float64Array(count);
  const scale = 10 ** (column.decimals || 0), unit = column.unit || 1, base = column.base || 0;
  for (let index = 0, sum = 0; index < count; index++) {
    sum += planes[index] | planes[index + count] << 8 | planes[index + 2 * count] << 16 | planes[index + 3 * count] << 24;
    numbers[index] = base + sum * unit / scale;
  }
  return numbers;
}

async function unpackedLevel(level) {
  const traces = {};
  for (const [name, columns] of Object.entries(level.traces)) {
    traces[name] = {};
    for (const [key, column] of Object.entries(columns)) traces[name][key] = await unpackedColumn(column);
  }
  return traces;
}

function firstAtOrAfter(ordered, value) {
  let low = 0, high = ordered.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ordered[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

function cutColumns(columns, from, to) {
  const first = Math.max(0, firstAtOrAfter(columns.x, from) - 1);
  const last = firstAtOrAfter(columns.x, to) + 1;
  return Object.fromEntries(Object.entries(columns).map(([key, column]) => [key, column.slice(first, last)]));
}

function chosenLevel(packed, from, to) {
  const fits = (level) => 2 * (to - from) / level.length <= packed.maxBars || level.bars <= packed.maxBars;
  const found = packed.levels.findIndex(fits);
  return found < 0 ? packed.levels.length - 1 : found;
}

function spread(columns, from, to) {
  let low = Infinity, high = -Infinity;
  for (let index = 0; index < columns.x.length; index++) {
    if (columns.x[index] < from || columns.x[index] > to) continue;
    low = Math.min(low, (columns.low || columns.y)[index]);
    high = Math.max(high, (columns.high || columns.y)[index]);
  }
  return [low, high];
}

function keepFluid(element, packed) {
  const kept = new Map();
  const unpacked = (number) => {
    if (!kept.has(number)) kept.set(number, unpackedLevel(packed.levels[number]));
    return kept.get(number);
  };
  const row = Object.fromEntries(packed.names.map((name, number) => [name, number]));
  let wish = 0;

  async function draw() {
    const mine = ++wish;
    const axis = element.layout.xaxis;
    const [from, to] = axis.autorange ? packed.span
      : axis.range.map((text) => typeof text === "number" ? text : Date.parse(String(text).replace(" ", "T") + "Z"));
    const number = chosenLevel(packed, from, to);
    const level = packed.levels[number], traces = await unpacked(number);
    if (mine !== wish) return;  // a newer view was requested meanwhile
    const margin = (to - from) / 2;
    const data = element.data.slice();
    const shown = {};
    for (const name of packed.names) {
      const columns = cutColumns(traces[name] || {x: []}, from - margin, to + margin);
      shown[name] = columns;
      const trace = {...data[row[name]]};
      for (const [key, column] of Object.entries(columns)) {
        if (key === "marker.color") trace.marker = {...trace.marker, color: Array.from(column)};
        else trace[key] = Array.from(column);
      }
      if (name === "volume") Object.assign(trace, {width: level.length * 0.8, offset: level.length * 0.1});
      data[row[name]] = trace;
    }
    const layout = {...element.layout, title: {...element.layout.title}};
    layout.title.subtitle = {...layout.title.subtitle, text: level.subtitle};
    scale(layout, shown, from, to);
    element.dataset.level = level.name;
    await Plotly.react(element, data, layout);
    element.dataset.drawn = String(mine);
  }

  // The axes of price and volume follow the visible part, so that a day of a month is not a flat line.
  function scale(layout, shown, from, to) {
    const set = (axis, range) => { layout[axis] = {...layout[axis], autorange: false, range}; };
    const range = [from, to].map((moment) => new Date(moment).toISOString().replace("Z", ""));
    for (const axis of Object.keys(layout).filter((key) => /^xaxis\d*$/.test(key))) set(axis, range);
    const [low, high] = spread(shown.candles, from, to);
    const margin = (high - low || high * 0.01) * 0.05;
    if (low <= high) set("yaxis", [low - margin, high + margin]);
    const most = shown.volume ? spread(shown.volume, from, to)[1] : 0;
    if (most > 0) set("yaxis2", [0, most * 1.05]);
  }

  element.on("plotly_relayout", (change) => {
    if (Object.keys(change).some((name) => name.startsWith("xaxis"))) draw();
  });
}
