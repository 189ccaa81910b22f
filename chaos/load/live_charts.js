"use strict";
// The live page's charts, and its numbers in words. A chart is one SVG element with a label that says the same.
(() => {
  const THIN = "\u202f", NONE = "\u2013", SVG = "http://www.w3.org/2000/svg";

  // ---------------------------------------------------------------------------------------- words
  const count = (value) => new Intl.NumberFormat("en", {maximumFractionDigits: 0}).format(value).replaceAll(",", THIN);
  function time(seconds) {  // as chaos/formatting.py writes measured times
    if (seconds === null || seconds === undefined) return NONE;
    if (seconds >= 120) return `${Math.floor(seconds / 60)}${THIN}min ${Math.round(seconds % 60)}${THIN}s`;
    if (seconds >= 0.9995) return `${seconds.toPrecision(4)}${THIN}s`;
    return seconds >= 0.0009995 ? `${(seconds * 1e3).toPrecision(3)}${THIN}ms` : `${(seconds * 1e6).toPrecision(3)}${THIN}\u00b5s`;
  }
  const plain = (number) => String(Number(number.toPrecision(6)));
  const mark = (value, unit) => unit === "share" ? `${plain(value * 100)}${THIN}%` : unit === "seconds" ? tick(value) : plain(value);
  function tick(seconds) {
    const size = Math.abs(seconds);
    return size >= 1 || !size ? `${plain(seconds)}${THIN}s` : size >= 1e-3 ? `${plain(seconds * 1e3)}${THIN}ms` : `${plain(seconds * 1e6)}${THIN}\u00b5s`;
  }

  function drawn(name, attributes = {}, text = "") {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text) element.textContent = text;
    return element;
  }

  // ---------------------------------------------------------------------------------------- charts
  function nice(low, high, most) {
    const rough = (high - low) / most || 1, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999);
    const found = [];
    for (let at = Math.max(Math.ceil(low / step - 1e-9), -1e9) || 0; at * step <= high * (1 + 1e-9) && found.length < 20; at++) found.push(at * step);
    return found;
  }
  function decades(low, high) {
    const found = [], wide = Math.log10(high / low) > 2.2;
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
      for (const part of wide ? [1] : [1, 2, 5]) {
        const value = part * 10 ** power;
        if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
      }
    }
    return found;
  }
  class Chart {  // a frame with axes; `y` and `x` turn values into pixels
    constructor(svg, height, ticks, text, from, to, at) {
      const width = Math.max(svg.getBoundingClientRect().width || svg.parentNode?.clientWidth || 360, 160);
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      svg.setAttribute("height", height);
      const left = Math.max(...ticks.map((value) => text(value).length), 3) * 7 + 10;
      Object.assign(this, {svg, width, height, left, right: width - 6, top: 8, bottom: height - 20, from, to: Math.max(to, from + 1e-9), parts: []});
      this.at = at;
      for (const value of ticks) {
        const y = this.y(value);
        this.add("line", {class: "grid", x1: left, x2: this.right, y1: y, y2: y});
        this.add("text", {x: left - 6, y: y + 4, "text-anchor": "end"}, text(value));
      }
      for (const value of nice(from, this.to, width > 420 ? 6 : 3)) {
        this.add("text", {x: this.x(value), y: height - 4, "text-anchor": "middle"}, `${plain(value)}${THIN}s`);
      }
    }
    x(value) { return this.left + ((value - this.from) / (this.to - this.from)) * (this.right - this.left); }
    y(value) { return this.bottom - Math.min(Math.max(this.at(value), 0), 1) * (this.bottom - this.top); }
    add(name, attributes, text) { this.parts.push(drawn(name, attributes, text)); }
    line(points, attributes) {
      const runs = [[]];
      for (const [x, y] of points) y === null ? runs.push([]) : runs.at(-1).push(`${this.x(x).toFixed(1)} ${this.y(y).toFixed(1)}`);
      const d = runs.filter((run) => run.length).map((run) => `M${run.length === 1 ? `${run[0]} L${run[0]}` : run.join(" L")}`).join(" ");
      if (d) this.add("path", {d, ...attributes});
    }
    done(label) {
      this.svg.setAttribute("role", "img");
      this.svg.setAttribute("aria-label", label);
      this.svg.replaceChildren(...this.parts);
    }
  }
  const linear = (low, high) => (value) => (value - low) / (high - low || 1);
  const log = (low, high) => (value) => Math.log(value / low) / Math.log(high / low || 2);

  function closing(svg, claim) {  // a claim's interval, closing in on its target
    const last = claim.trail.at(-1), [bottom, top] = window_(claim);
    const ticks = nice(bottom, top, 3);
    const chart = new Chart(svg, 96, ticks, (value) => mark(value, claim.unit), claim.trail[0][0], last[0], linear(bottom, top));
    const [low, high] = [claim.band[0] ?? bottom, claim.band[1] ?? top];
    chart.add("rect", {class: "band", x: chart.left, width: chart.right - chart.left, y: chart.y(high), height: Math.max(chart.y(low) - chart.y(high), 1)});
    const target = chart.y(claim.target);
    chart.add("line", {class: "target", x1: chart.left, x2: chart.right, y1: target, y2: target});
    const edge = (side, other) => claim.trail.map((step) => [chart.x(step[0]), chart.y(step[side] ?? other)].map((each) => each.toFixed(1)).join(" "));
    const around = [...edge(2, top), ...edge(1, bottom).reverse()];
    chart.add("path", {class: "interval", d: `M${around.join(" L")} Z`});
    chart.line(claim.trail.map((step) => [step[0], step[3]]), {class: "estimate"});
    chart.done(`The interval of ${claim.title} over time; it is now ${claim.interval}, configured is ${claim.configured}.`);
  }
  function window_(claim) {  // what is worth seeing: the band, the last interval, the later estimates
    const last = claim.trail.at(-1), later = claim.trail.slice(Math.floor(claim.trail.length / 3)).map((step) => step[3]);
    const places = [...claim.band, claim.target, last[1], last[2], ...later].filter((value) => value !== null);
    let [bottom, top] = [Math.min(...places), Math.max(...places)];
    const room = Math.max((top - bottom) * 0.35, 1e-6);
    [bottom, top] = [bottom - room, top + room];
    return claim.unit === "share" ? [Math.max(bottom, 0), Math.min(top, 1)] : [Math.max(bottom, 0), top];
  }

  function rates(svg, state) {
    const all = state.points.flatMap((point) => Object.values(point.tasks).map((task) => task[0] / point.seconds));
    const top = Math.max(...all, 1) * 1.08;
    overTime(svg, state, `Requests per second over time; now ${count(state.rate)}. The table below has each task.`,
      [(point, task) => task[0] / point.seconds], nice(0, top, 5), count, linear(0, top));
  }
  function latencies(svg, state) {
    const all = state.points.flatMap((point) => Object.values(point.tasks).flatMap((task) => task.slice(1))).filter((value) => value > 0);
    if (!all.length) return;
    const [low, high] = [Math.min(...all) / 1.3, Math.max(...all) * 1.5];
    overTime(svg, state, "Median and 99th percentile of the latency over time, by task. The table below has those of the whole run.",
      [(_, task) => task[1], (_, task) => task[2]], decades(low, high), tick, log(low, high));
  }
  function overTime(svg, state, label, values, ticks, text, at) {  // a line for each task and value, the second dashed
    const {points} = state, end = points.at(-1).end;
    const chart = new Chart(svg, 220, ticks, text, points[0].begin, end, at);
    for (const phase of state.phases) {
      if (!phase.name || phase.begin > end) continue;
      const x = Math.max(chart.x(phase.begin), chart.left);
      chart.add("line", {class: "phase", x1: x, x2: x, y1: chart.top, y2: chart.bottom});
      chart.add("text", {x: x + 4, y: chart.top + 8}, phase.name);
    }
    state.tasks.forEach((task, index) => values.forEach((value, which) => {
      const line = points.map((point) => [(point.begin + point.end) / 2, task.name in point.tasks ? value(point, point.tasks[task.name]) : null]);
      chart.line(line, {class: which ? "series dashed" : "series", stroke: `var(--s${index % 7})`});
    }));
    chart.done(label);
  }

  window.chaosCharts = {THIN, NONE, count, time, drawn, closing, rates, latencies};
})();
