"use strict";

// Computes in the page what `inverse_transform` computes: layers, then the columns of the table.

function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

function bytes(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

// The error function to 1.5e-7; Abramowitz and Stegun, 7.1.26.
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

const ACTIVATIONS = {
  relu: (x) => Math.max(x, 0),
  leaky_relu: (x) => (x > 0 ? x : 0.2 * x),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  silu: (x) => x * sigmoid(x),
  tanh: Math.tanh,
  logistic: sigmoid,
  identity: (x) => x,
};

function linear({ weight, bias }, x) {
  return Float64Array.from(bias, (start, output) => {
    let sum = start;
    for (let i = 0; i < x.length; i++) sum += weight[output * x.length + i] * x[i];
    return sum;
  });
}

// A transposed convolution of 4 x 4, stride 2, padding 1: each pixel adds to 4 x 4 larger ones.
function convolution({ weight, bias, shapes }, x) {
  const [[height, width, n], [tall, wide, m]] = shapes;
  const sums = new Float64Array(tall * wide * m);
  for (let i = 0; i < sums.length; i++) sums[i] = bias[i % m];
  for (let i = 0; i < x.length; i++) {
    const channel = i % n;
    const left = 2 * (((i - channel) / n) % width) - 1;
    const top = 2 * Math.floor(i / (n * width)) - 1;
    for (let k = 0; k < 16; k++) {
      const row = top + (k >> 2);
      const column = left + (k & 3);
      if (row < 0 || row >= tall || column < 0 || column >= wide) continue;
      const to = (row * wide + column) * m;
      const from = (channel * 16 + k) * m;
      for (let o = 0; o < m; o++) sums[to + o] += weight[from + o] * x[i];
    }
  }
  return sums;
}

// The value at x of the line through points, which is level beyond its ends.
function interpolate(x, xs, ys) {
  let [low, high] = [0, xs.length - 1];
  if (x <= xs[low]) return ys[low];
  if (x >= xs[high]) return ys[high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle;
    else high = middle;
  }
  return ys[low] + ((ys[high] - ys[low]) * (x - xs[low])) / (xs[high] - xs[low]);
}

function largest(values) {
  return values.reduce((best, value, index) => (value > values[best] ? index : best), 0);
}

// The value of a column, and how long its bar is, from 0 to 1.
const COLUMNS = {
  number(column, outputs) {
    if (column.range === null) return { value: null, length: 0 };
    const output = column.sigmoid ? sigmoid(outputs[column.start]) : outputs[column.start];
    let value = column.scores.length
      ? interpolate(output, column.scores, column.values)
      : column.factor * output + column.offset;
    if (column.whole) value = Math.round(value);
    const [lowest, highest] = column.limits;
    if (lowest !== null) value = Math.max(value, lowest);
    if (highest !== null) value = Math.min(value, highest);
    return { value, length: within(value, column.range) };
  },
  flag(column, outputs) {
    const probability = sigmoid(outputs[column.start]);
    return { value: probability > 0.5 ? 1 : 0, length: probability };
  },
  category(column, outputs) {
    if (!column.values.length) return { value: null, length: 0 };
    const own = outputs.slice(column.start, column.start + column.values.length);
    const best = largest(own);
    const sum = own.reduce((total, value) => total + Math.exp(value - own[best]), 0);
    return { value: column.values[best], length: 1 / sum };
  },
};

// Where a value lies between two others, from 0 to 1.
function within(value, [low, high]) {
  return high > low ? Math.min(Math.max((value - low) / (high - low), 0), 1) : 0.5;
}

class Decoder {
  constructor({ layers, columns, proportions, of_class }) {
    this.layers = layers.map((layer) => ({
      ...layer,
      weight: floats(layer.weight),
      bias: floats(layer.bias),
    }));
    this.columns = columns;
    this.proportions = proportions;
    this.ofClass = floats(of_class);
  }

  // Shares of classes: all of one class, or of every class its proportion.
  mix(index = null) {
    if (index === null) return this.proportions;
    return this.proportions.map((_, other) => (other === index ? 1 : 0));
  }

  // The decoded row of a point: its columns, each with a value and the length of its bar.
  decode(point, mix) {
    let values = point;
    this.layers.forEach((layer, depth) => {
      values = (layer.shapes.length ? convolution : linear)(layer, values);
      if (depth === 0) this.addClasses(values, mix);
      values = values.map(ACTIVATIONS[layer.activation]);
    });
    return this.columns.map((column) => COLUMNS[column.kind](column, values));
  }

  addClasses(values, mix) {
    mix.forEach((share, index) => {
      if (share === 0) return;
      for (let i = 0; i < values.length; i++) values[i] += share * this.ofClass[index * values.length + i];
    });
  }
}
