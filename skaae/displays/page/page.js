// Draws the map, and shows what is decoded under the pointer.

const N_NEIGHBOURS = 8;
const REACH = 14; // pixels from which a press takes hold of a row
const SHAPES = ["circle", "square", "triangle", "diamond"]; // for more classes than colours
const VIRIDIS = ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"];

const data = JSON.parse(document.getElementById("data").textContent);
const decoder = new Decoder(data.decoder);
const { rows, image, groups } = data;
const nRows = rows.index.length;
const nClasses = data.decoder.classes.length;
const codes = floats(rows.codes);
const shares = floats(rows.shares);
const pixels = bytes(rows.pixels);
const dark = matchMedia("(prefers-color-scheme: dark)");
const element = (id) => document.getElementById(id);
const [plane, points, marks] = ["plane", "points", "marks"].map(element);

// What the page shows; all of it follows from this.
const state = {
  point: middle(),
  held: null, // a row
  choice: nClasses ? 0 : null, // a class of the decoder; null mixes them by their proportions
  hidden: new Set(), // groups of rows
};

// ---- rows

const codeOf = (row) => [codes[2 * row], codes[2 * row + 1]];
const mixOf = (row) => Array.from(shares.subarray(row * nClasses, (row + 1) * nClasses));
const isShown = (row) => !state.hidden.has(groupOf(row));
const reconstruct = (row) => decoder.decode(codeOf(row), mixOf(row));

function groupOf(row) {
  return groups.names === null ? 0 : (rows.target[row] ?? groups.names.length);
}

function middle() {
  return [0, 1].map((axis) => {
    const sorted = codes.filter((_, i) => i % 2 === axis).sort();
    return sorted[sorted.length >> 1];
  });
}

function distance(row, [x, y]) {
  return Math.hypot(codes[2 * row] - x, codes[2 * row + 1] - y);
}

// The nearest rows of a point among those that are shown, nearest first.
function nearest(point, count) {
  const shown = rows.index.map((_, row) => row).filter(isShown);
  const from = new Map(shown.map((row) => [row, distance(row, point)]));
  return shown.sort((a, b) => from.get(a) - from.get(b)).slice(0, count);
}

// The class of a row, or its value; nothing where rows have neither.
function targetOf(row) {
  const target = rows.target[row];
  if (!groups.shown) return "";
  if (target === null) return "unlabeled";
  return groups.names === null ? format(target) : groups.names[target];
}

function nameOf(row) {
  const word = !groups.shown || rows.target[row] === null ? "" : `${groups.word} `;
  return [`row ${rows.index[row]}`, `${word}${targetOf(row)}`].filter(Boolean).join(", ");
}

function nameOfPlace() {
  return state.point.map((value) => value.toFixed(2).replace("-", "−")).join(", ");
}

// ---- colours

function colorOf(row) {
  if (!groups.shown) return colorOfGroup(0);
  return groups.names === null ? colorOfValue(rows.target[row]) : colorOfGroup(groupOf(row));
}

function colorOfGroup(group) {
  const colors = dark.matches ? data.colors.dark : data.colors.light;
  return group === groups.names?.length ? css("--grey") : colors[group % colors.length];
}

function colorOfValue(value) {
  if (value === null) return css("--grey");
  const place = within(value, groups.range) * (VIRIDIS.length - 1);
  const start = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return mixed(VIRIDIS[start], VIRIDIS[start + 1], place - start);
}

function mixed(from, to, share) {
  const parts = (color) => [1, 3, 5].map((start) => parseInt(color.slice(start, start + 2), 16));
  const other = parts(to);
  return `rgb(${parts(from).map((part, i) => Math.round(part + share * (other[i] - part)))})`;
}

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// ---- the map

let view; // from codes to pixels: one scale for both axes

function fit() {
  const ratio = devicePixelRatio;
  const { clientWidth: width, clientHeight: height } = plane;
  for (const canvas of [points, marks]) {
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.getContext("2d").scale(ratio, ratio);
  }
  const ends = [0, 1].map((axis) => {
    const own = codes.filter((_, i) => i % 2 === axis);
    return [own.reduce((a, b) => Math.min(a, b)), own.reduce((a, b) => Math.max(a, b))];
  });
  const [wide, tall] = ends.map(([low, high]) => high - low || 1);
  const scale = Math.min((width - 48) / wide, (height - 48) / tall);
  const [centerX, centerY] = ends.map(([low, high]) => (low + high) / 2);
  view = {
    width,
    height,
    scale,
    toPixels: ([x, y]) => [width / 2 + (x - centerX) * scale, height / 2 - (y - centerY) * scale],
    toPoint: ([left, top]) => [(left - width / 2) / scale + centerX, (height / 2 - top) / scale + centerY],
  };
  drawPoints();
  show();
}

function drawPoints() {
  const context = points.getContext("2d");
  context.clearRect(0, 0, view.width, view.height);
  drawGrid(context);
  const radius = nRows > 1000 ? 2.8 : nRows > 200 ? 3.6 : 4.5;
  context.globalAlpha = 0.85;
  for (let row = 0; row < nRows; row++) {
    if (!isShown(row)) continue;
    context.fillStyle = colorOf(row);
    trace(context, view.toPixels(codeOf(row)), radius, groups.names === null ? 0 : groupOf(row));
    context.fill();
  }
  context.globalAlpha = 1;
}

function drawGrid(context) {
  const step = niceStep(90 / view.scale);
  const [left, top] = view.toPoint([0, 0]);
  const [right, bottom] = view.toPoint([view.width, view.height]);
  context.strokeStyle = css("--line");
  context.fillStyle = css("--soft");
  context.font = "11px system-ui, sans-serif";
  context.lineWidth = 0.5;
  context.beginPath();
  for (let i = Math.ceil(left / step); i * step < right; i++) {
    const [x] = view.toPixels([i * step, 0]);
    context.moveTo(x, 0);
    context.lineTo(x, view.height);
    context.fillText(format(i * step), x + 3, view.height - 5);
  }
  for (let i = Math.ceil(bottom / step); i * step < top; i++) {
    const [, y] = view.toPixels([0, i * step]);
    context.moveTo(0, y);
    context.lineTo(view.width, y);
    context.fillText(format(i * step), 4, y - 4);
  }
  context.stroke();
}

// The smallest of 1, 2, 5, 10, 20, ... that is at least this long.
function niceStep(length) {
  const power = 10 ** Math.floor(Math.log10(length));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= length);
}

// Trace the shape of a group around a pixel.
function trace(context, [x, y], radius, group) {
  const shape = SHAPES[Math.floor(group / data.colors.light.length) % SHAPES.length];
  context.beginPath();
  if (shape === "circle") {
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  const corners = { square: 4, triangle: 3, diamond: 4 }[shape];
  const turn = shape === "square" ? Math.PI / 4 : Math.PI / 2;
  for (let corner = 0; corner < corners; corner++) {
    const angle = turn + (2 * Math.PI * corner) / corners;
    context.lineTo(x + 1.3 * radius * Math.cos(angle), y - 1.3 * radius * Math.sin(angle));
  }
  context.closePath();
}

function drawMarks(near) {
  const context = marks.getContext("2d");
  const [x, y] = view.toPixels(state.point);
  context.clearRect(0, 0, view.width, view.height);
  context.strokeStyle = css("--mark");
  context.lineWidth = 1.2;
  for (const row of near) {
    trace(context, view.toPixels(codeOf(row)), 4.5, 0);
    context.stroke();
  }
  if (state.held !== null) {
    const start = view.toPixels(codeOf(state.held));
    context.setLineDash([4, 3]);
    context.beginPath();
    context.moveTo(...start);
    context.lineTo(x, y);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = colorOf(state.held);
    trace(context, start, 8, 0);
    context.fill();
    context.stroke();
  }
  for (const [width, color] of [[5, css("--card")], [2, css("--mark")]]) {
    context.lineWidth = width;
    context.strokeStyle = color;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 9 * dx, y + 9 * dy);
      context.lineTo(x + 20 * dx, y + 20 * dy);
    }
    context.stroke();
  }
}

// ---- the panel

let waiting = false;
let decoded = []; // the row of the place, as it is shown

// Show the state with the next frame, however often it changes before.
function show() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    const near = nearest(state.point, N_NEIGHBOURS);
    const row = state.held ?? near[0] ?? null;
    decoded = decoder.decode(state.point, decoder.mix(state.choice));
    drawMarks(near);
    element("place").textContent = nameOfPlace();
    showChoice();
    if (image === null) showBars(row);
    else showPictures(row);
    showNeighbours(near);
  });
}

function showPictures(row) {
  const [here, original, again] = element("pictures").children;
  paint(here.firstChild, levelsOf(decoded));
  original.hidden = again.hidden = row === null;
  if (row === null) return;
  paint(original.firstChild, pixelsOf(row));
  paint(again.firstChild, levelsOf(reconstruct(row)));
  original.lastChild.textContent = nameOf(row);
}

function showBars(row) {
  const again = row === null ? null : reconstruct(row);
  const table = element("bars");
  table.tHead.rows[0].cells[3].textContent = row === null ? "" : `row ${rows.index[row]}`;
  table.caption.textContent = row === null ? "" : `The mark in each bar is ${nameOf(row)}.`;
  decoder.columns.forEach((column, index) => {
    const [, track, here, original, reconstruction] = table.tBodies[0].rows[index].cells;
    const [bar, tick] = track.firstChild.children;
    const value = row === null ? null : rows.values[row][index];
    bar.style.width = `${100 * decoded[index].length}%`;
    here.textContent = format(decoded[index].value);
    original.textContent = row === null ? "" : format(value);
    reconstruction.textContent = again === null ? "" : format(again[index].value);
    const ends = { number: column.range, flag: [0, 1], category: null }[column.kind];
    tick.hidden = ends === null || value === null;
    if (!tick.hidden) tick.style.left = `${100 * within(Number(value), ends)}%`;
  });
}

function showNeighbours(near) {
  [...element("neighbours").children].forEach((button, place) => {
    const row = near[place];
    button.hidden = row === undefined;
    if (button.hidden) return;
    button.dataset.row = row;
    button.setAttribute("aria-pressed", row === state.held);
    if (image !== null) paint(button.firstChild, pixelsOf(row));
    const [dot, target, number] = button.lastChild.children;
    dot.style.background = colorOf(row);
    target.textContent = targetOf(row);
    number.textContent = rows.index[row];
    button.setAttribute("aria-label", nameOf(row));
  });
}

function showChoice() {
  for (const label of element("choice").lastChild.children) {
    const input = label.querySelector("input");
    const index = input.value === "" ? null : Number(input.value);
    input.checked = index === state.choice;
    const canvas = label.querySelector("canvas");
    if (canvas) paint(canvas, levelsOf(decoder.decode(state.point, decoder.mix(index))));
  }
}

function say() {
  const [row] = nearest(state.point, 1);
  const held = state.held === null ? "" : ` Held: ${nameOf(state.held)}.`;
  element("status").textContent = `At ${nameOfPlace()}. ${row === undefined ? "" : `Nearest: ${nameOf(row)}.`}${held}`;
}

function format(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "1" : "0";
  if (typeof value !== "number") return String(value);
  const text = Number(value.toPrecision(3));
  return String(Math.abs(text) >= 1000 ? Math.round(value) : text).replace("-", "−");
}

// ---- images

const pixelsOf = (row) => {
  const size = image.shape.reduce((a, b) => a * b);
  return pixels.subarray(row * size, (row + 1) * size);
};
const levelsOf = (decoded) => decoded.map(({ value }) => 255 * within(value, image.range));

// Paint an image of levels from 0 to 255: from paper to ink, or in three colours.
function paint(canvas, levels) {
  const [height, width, channels = 1] = image.shape;
  const [paper, ink] = ["--paper", "--ink"].map((name) => css(name).split(" ").map(Number));
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const drawn = context.createImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let color = 0; color < 3; color++) {
      const level = levels[pixel * channels + (channels === 1 ? 0 : color)];
      drawn.data[4 * pixel + color] =
        channels === 1 ? paper[color] + ((ink[color] - paper[color]) * level) / 255 : level;
    }
    drawn.data[4 * pixel + 3] = 255;
  }
  context.putImageData(drawn, 0, 0);
}

// ---- building

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function picture(description) {
  const canvas = make("canvas", { className: "picture" });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", description);
  return canvas;
}

function build() {
  element("title").textContent = document.title = data.title;
  buildLegend();
  buildChoice();
  element("bars").hidden = image !== null;
  if (image === null) buildBars();
  else {
    for (const name of ["this place", "row", "reconstruction"]) {
      const caption = make("figcaption", { textContent: name });
      element("pictures").append(make("figure", {}, picture(name), caption));
    }
  }
  for (let place = 0; place < N_NEIGHBOURS; place++) {
    const parts = ["dot", "target", "number"].map((className) => make("span", { className }));
    const name = make("span", { className: "name" }, ...parts);
    const button = make("button", { type: "button" }, ...(image === null ? [] : [picture("")]), name);
    button.addEventListener("click", () => hold(Number(button.dataset.row)));
    element("neighbours").append(button);
  }
}

function buildBars() {
  const titles = ["", "", "here", "row", "recon\u00adstruction"];
  const head = make("thead", {}, make("tr", {}, ...titles.map((text) => make("th", { scope: "col", textContent: text }))));
  const lines = decoder.columns.map((column) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", textContent: column.name }),
      make("td", { className: "track" }, make("div", {}, make("i"), make("b"))),
      ...[1, 2, 3].map(() => make("td")),
    ),
  );
  element("bars").append(make("caption"), head, make("tbody", {}, ...lines));
}

function buildLegend() {
  const legend = element("legend");
  legend.replaceChildren();
  if (!groups.shown) return;
  if (groups.names === null) {
    const bar = make("span", { className: "scale" });
    bar.style.background = `linear-gradient(to right, ${VIRIDIS})`;
    legend.append(format(groups.range[0]), bar, format(groups.range[1]));
    return;
  }
  const names = [...groups.names, ...(rows.target.includes(null) ? ["unlabeled"] : [])];
  names.forEach((name, group) => {
    const canvas = make("canvas", { width: 24, height: 24 });
    const context = canvas.getContext("2d");
    context.fillStyle = colorOfGroup(group);
    trace(context, [12, 12], 9, group);
    context.fill();
    const button = make("button", { type: "button" }, canvas, name);
    button.setAttribute("aria-pressed", !state.hidden.has(group));
    button.addEventListener("click", () => {
      if (!state.hidden.delete(group)) state.hidden.add(group);
      button.setAttribute("aria-pressed", !state.hidden.has(group));
      drawPoints();
      show();
    });
    legend.append(button);
  });
}

function buildChoice() {
  const choice = element("choice");
  choice.hidden = nClasses === 0;
  ["all", ...data.decoder.classes].forEach((name, place) => {
    if (choice.hidden) return;
    const input = make("input", { type: "radio", name: "choice", value: place ? place - 1 : "" });
    input.addEventListener("change", () => {
      state.choice = input.value === "" ? null : Number(input.value);
      show();
    });
    choice.lastChild.append(make("label", {}, input, ...(image === null ? [] : [picture("")]), name));
  });
}

// ---- what the user does

function hold(row) {
  state.held = row;
  state.point = codeOf(row);
  if (nClasses) state.choice = largest(mixOf(row));
  show();
  say();
}

function pointOf(event) {
  const box = plane.getBoundingClientRect();
  return view.toPoint([event.clientX - box.left, event.clientY - box.top]);
}

plane.addEventListener("pointerdown", (event) => {
  plane.setPointerCapture(event.pointerId);
  const point = pointOf(event);
  const [row] = nearest(point, 1);
  if (row !== undefined && distance(row, point) * view.scale <= REACH) hold(row);
  else {
    state.held = null;
    state.point = point;
    show();
  }
});

plane.addEventListener("pointermove", (event) => {
  state.point = pointOf(event);
  show();
});

plane.addEventListener("keydown", (event) => {
  const step = (event.shiftKey ? 2 : 12) / view.scale;
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const move = moves[event.key];
  if (move) state.point = state.point.map((value, axis) => value + step * move[axis]);
  else if (event.key === "Enter" || event.key === " ") {
    const [row] = nearest(state.point, 1);
    if (row !== undefined) hold(row);
  } else if (event.key === "Escape") state.held = null;
  else return;
  event.preventDefault();
  show();
  say();
});

// The address can name what to show: #at=0.5,-1&class=3 or #row=17.
function readAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const row = rows.index.indexOf(Number(wanted.get("row") ?? -1));
  if (row >= 0) hold(row);
  const at = (wanted.get("at") ?? "").split(",").map(Number);
  if (at.length === 2 && at.every(Number.isFinite)) state.point = at;
  const index = data.decoder.classes.indexOf(wanted.get("class"));
  if (index >= 0) state.choice = index;
  show();
}

// For scripts of others: what the page shows, and decoding as the page does it.
window.skaae = {
  state,
  shown: () => valuesOf(decoded),
  decode: (point, choice = null) => valuesOf(decoder.decode(point, decoder.mix(choice))),
  reconstruct: (row) => valuesOf(reconstruct(row)),
};

function valuesOf(columns) {
  return columns.map(({ value }) => value);
}

build();
new ResizeObserver(fit).observe(plane);
fit();
readAddress();
addEventListener("hashchange", readAddress);
dark.addEventListener("change", () => {
  buildLegend();
  drawPoints();
  show();
});
