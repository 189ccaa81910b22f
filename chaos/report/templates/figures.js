"use strict";
// Values and a closer look for every figure: what `script.readout` in it says (chaos/report/figures/readout.py), read
// out where the pointer or the cursor keys are; and the drawing stretched along x. The page is complete without it.
(() => {
  const SVG = "http://www.w3.org/2000/svg", THIN = "\u202f", CLOSEST = 0.004;

  // ---------------------------------------------------------------------------------------------- words
  const digits = (value, most) => String(Number(value.toPrecision(most))).replace("-", "\u2212");
  const minutes = value => `${Math.floor(value / 60)}${THIN}min ${Math.round(value % 60)}${THIN}s`;
  const seconds = value => {
    const size = Math.abs(value);
    if (size >= 120) return minutes(value);
    if (size >= 0.9995 || !value) return `${digits(value, 4)}${THIN}s`;
    return size >= 0.9995e-3 ? `${digits(value * 1e3, 3)}${THIN}ms` : `${digits(value * 1e6, 3)}${THIN}\u00b5s`;
  };
  const share = value => `${digits(value * 100, 3)}${THIN}%`;
  const nines = value => `${(100 * (1 - 10 ** -value)).toFixed(Math.max(0, Math.ceil(value) - 1) || 1)}${THIN}%`;
  const UNITS = { seconds, share, nines, rate: value => `${digits(value, 4)}${THIN}/s`, ratio: value => digits(value, 4) };
  const say = (unit, value) => (UNITS[unit] || UNITS.ratio)(value);

  const made = (parent, name, attributes = {}, text = "") => {
    const inSvg = parent.namespaceURI === SVG || name === "svg";
    const element = inSvg ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return parent.appendChild(element);
  };
  const spoken = made(document.body, "p", { class: "spoken", "aria-live": "polite" });

  // ---------------------------------------------------------------------------------------------- one pair of axes
  class Panel {
    constructor(record, at, axis) {
      Object.assign(this, record, { at, axis, view: [0, 1] });
      this.steps = record.series.length > 0 && at.length > record.series[0].values.length;
      this.ends = this.log ? this.x.map(Math.log) : this.x;
      this.key = JSON.stringify([this.x, this.log]); // panels of equal axes are stretched together
      this.labelled = !!axis?.querySelector("text");
    }
    get count() { return this.steps ? this.at.length - 1 : this.at.length; }
    part(value) { return ((this.log ? Math.log(value) : value) - this.ends[0]) / (this.ends[1] - this.ends[0]); }
    value(part) {
      const found = this.ends[0] + part * (this.ends[1] - this.ends[0]);
      return this.log ? Math.exp(found) : found;
    }
    place(value) {
      const [left, , right] = this.box, [from, to] = this.view;
      return left + (this.part(value) - from) / (to - from) * (right - left);
    }
    shown(x) { // the part of the whole axis at a place of the drawing
      const [left, , right] = this.box, [from, to] = this.view;
      return from + (x - left) / (right - left) * (to - from);
    }
    nearest(part) {
      const value = this.value(part);
      if (this.steps) return Math.min(this.count - 1, Math.max(0, this.at.findLastIndex(each => each <= value)));
      let best = 0;
      this.at.forEach((each, index) => { if (Math.abs(each - value) < Math.abs(this.at[best] - value)) best = index; });
      return best;
    }
    middle(index) {
      if (!this.steps) return this.at[index];
      return this.value((this.part(this.at[index]) + this.part(this.at[index + 1])) / 2);
    }
    head(index) {
      const words = value => say(this.across, value);
      return this.steps ? `${words(this.at[index])} .. ${words(this.at[index + 1])}` : words(this.at[index]);
    }
    rows(index) {
      return this.series.filter(each => each.values[index] != null).map(each => {
        const band = each.band?.map(side => side[index]);
        const bounds = band && band.every(side => side != null) ? ` (${band.map(side => say(this.unit, side)).join(" .. ")})` : "";
        return { colour: each.colour, name: each.name, text: say(this.unit, each.values[index]) + bounds };
      });
    }
    ticks() {
      const [low, high] = this.view.map(part => this.value(part));
      const inside = value => value >= low && value <= high;
      if (this.log) {
        const wide = [];
        for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1)
          wide.push(...[1, 2, 5].map(digit => digit * 10 ** power).filter(inside));
        if (wide.length > 2) return wide.filter((_, index) => index % Math.ceil(wide.length / 8) === 0);
      }
      const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 5, 10].map(factor => factor * power).find(each => each >= rough);
      const found = [];
      for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(at);
      return found;
    }
  }

  // ---------------------------------------------------------------------------------------------- one figure
  class Figure {
    constructor(figure, record) {
      this.figure = figure;
      this.drawing = figure.querySelector(".drawing");
      this.svg = this.drawing.querySelector("svg");
      const axes = this.svg.querySelectorAll(".x-axis");
      this.panels = record.panels.map((panel, index) => new Panel(panel, record.at[panel.at], axes[index]));
      this.box = made(figure, "div", { class: "values", hidden: "" });
      this.line = made(this.svg, "line", { class: "cursor", visibility: "hidden" });
      this.range = made(this.svg, "rect", { class: "range", visibility: "hidden" });
      figure.classList.add("live");
      this.tools();
      this.listen();
    }
    tools() {
      const tools = made(this.figure, "div", { class: "tools" });
      this.drawing.after(tools);
      const button = (text, label, act) => {
        const found = made(tools, "button", { type: "button", "aria-label": label, title: label }, text);
        found.addEventListener("click", act);
        return found;
      };
      button("+", "Zoom in", () => this.zoom(0.5));
      this.whenZoomed = [
        button("\u2212", "Zoom out", () => this.zoom(2)),
        button("\u2190", "Earlier part", () => this.pan(-0.5)),
        button("\u2192", "Later part", () => this.pan(0.5)),
        button("Whole", "Show the whole figure", () => this.whole()),
      ];
      made(tools, "small", {}, "Point at the drawing or use the arrow keys for values; drag, or + and \u2212, to zoom; 0 for the whole.");
      this.enable();
    }
    enable() {
      const zoomed = this.panels.some(panel => panel.view[1] - panel.view[0] < 1);
      for (const each of this.whenZoomed) each.disabled = !zoomed;
      this.svg.classList.toggle("zoomed", zoomed);
    }
    listen() {
      const on = (name, act) => this.drawing.addEventListener(name, act);
      on("pointermove", event => this.moved(event));
      on("pointerdown", event => this.pressed(event));
      on("pointerup", event => this.released(event));
      on("pointercancel", () => this.hide());
      on("pointerleave", event => { if (!this.from && event.pointerType !== "touch") this.hide(); }); // a tap lifts
      on("dblclick", () => this.whole());
      on("blur", () => this.hide());
      on("keydown", event => this.key(event));
      addEventListener("beforeprint", () => this.whole());
    }
    at(event) { // where the pointer is, in the drawing's own units
      return new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    }
    under({ x, y }) {
      return this.panels.find(({ box: [left, top, right, bottom] }) => x >= left && x <= right && y >= top && y <= bottom);
    }
    pressed(event) {
      const point = this.at(event), panel = this.under(point);
      if (panel && event.pointerType !== "touch" && event.button === 0) {
        event.preventDefault(); // no text is selected
        this.drawing.focus({ preventScroll: true });
        this.drawing.setPointerCapture(event.pointerId);
        this.from = { panel, x: point.x };
      }
      if (panel) this.show(panel, panel.nearest(panel.shown(point.x)));
    }
    moved(event) {
      const point = this.at(event), panel = this.from?.panel || this.under(point);
      if (!panel) return this.hide();
      const [left, top, right, bottom] = panel.box, x = Math.min(right, Math.max(left, point.x));
      this.show(panel, panel.nearest(panel.shown(x)));
      if (!this.from) return undefined;
      const place = { x: Math.min(x, this.from.x), y: top, width: Math.abs(x - this.from.x), height: bottom - top };
      for (const [name, value] of Object.entries({ ...place, visibility: "visible" })) this.range.setAttribute(name, value);
      this.from.to = x;
      return undefined;
    }
    released() {
      const from = this.from;
      this.from = null;
      this.range.setAttribute("visibility", "hidden");
      if (from?.to !== undefined && Math.abs(from.to - from.x) > 6)
        this.look(from.panel.key, [from.panel.shown(Math.min(from.x, from.to)), from.panel.shown(Math.max(from.x, from.to))]);
    }
    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.drawing) return;
      const panel = this.panel || this.panels[0], step = event.shiftKey ? 10 : 1;
      const [first, last] = [panel.nearest(panel.view[0]), panel.nearest(panel.view[1])];
      const index = this.panel ? this.index : null;
      const other = by => this.panels[(this.panels.indexOf(panel) + by + this.panels.length) % this.panels.length];
      const acts = {
        ArrowRight: () => this.step(panel, index === null ? first : index + step),
        ArrowLeft: () => this.step(panel, index === null ? last : index - step),
        ArrowDown: () => this.step(other(1), other(1).nearest(panel.part(panel.middle(index ?? first)))),
        ArrowUp: () => this.step(other(-1), other(-1).nearest(panel.part(panel.middle(index ?? first)))),
        Home: () => this.step(panel, first),
        End: () => this.step(panel, last),
        "+": () => this.zoom(0.5),
        "=": () => this.zoom(0.5),
        "-": () => this.zoom(2),
        0: () => this.whole(),
        Escape: () => this.hide(),
      };
      if (!(event.key in acts)) return;
      event.preventDefault();
      acts[event.key]();
    }
    step(panel, wanted) {
      const index = Math.min(panel.count - 1, Math.max(0, wanted)), part = panel.part(panel.middle(index));
      const [from, to] = panel.view, width = to - from;
      if (part < from || part > to) this.look(panel.key, [part - width / 2, part + width / 2]);
      this.show(panel, index);
      this.line.scrollIntoView?.({ block: "nearest", inline: "nearest" });
      const read = panel.rows(index).map(row => `${row.name} ${row.text}`).join(", ");
      spoken.textContent = `${panel.title ? `${panel.title}, ` : ""}${panel.head(index)}: ${read || "nothing"}`;
    }
    show(panel, index) {
      Object.assign(this, { panel, index });
      const [, top, , bottom] = panel.box, x = panel.place(panel.middle(index));
      for (const [name, value] of Object.entries({ x1: x, x2: x, y1: top, y2: bottom, visibility: "visible" }))
        this.line.setAttribute(name, value);
      this.box.textContent = "";
      if (panel.title) made(this.box, "small", {}, panel.title);
      made(this.box, "strong", {}, panel.head(index));
      for (const row of panel.rows(index)) {
        const line = made(this.box, "div");
        made(line, "i").style.background = `var(--${row.colour})`;
        made(line, "span", {}, row.name);
        made(line, "b", {}, row.text);
      }
      this.box.hidden = false;
      this.put(x, top);
    }
    put(x, top) { // beside the cursor, on the side with more room
      const area = this.figure.getBoundingClientRect(), matrix = this.svg.getScreenCTM();
      const at = new DOMPoint(x, top).matrixTransform(matrix), place = at.x - area.left;
      const left = place > area.width / 2 ? place - this.box.offsetWidth - 12 : place + 12;
      this.box.style.left = `${Math.max(0, Math.min(area.width - this.box.offsetWidth, left))}px`;
      this.box.style.top = `${at.y - area.top + 6}px`;
    }
    hide() {
      this.panel = null;
      this.box.hidden = true;
      this.line.setAttribute("visibility", "hidden");
      this.range.setAttribute("visibility", "hidden");
    }

    // -------------------------------------------------------------------------------------------- a closer look
    zoom(factor) {
      const keys = this.panel ? [this.panel.key] : [...new Set(this.panels.map(panel => panel.key))];
      for (const key of keys) {
        const panel = this.panel || this.panels.find(each => each.key === key), [from, to] = panel.view;
        const centre = this.panel ? panel.part(panel.middle(this.index)) : (from + to) / 2, width = (to - from) * factor;
        this.look(key, [centre - width / 2, centre + width / 2]);
      }
    }
    pan(by) {
      for (const key of new Set(this.panels.map(panel => panel.key))) {
        const [from, to] = this.panels.find(panel => panel.key === key).view;
        this.look(key, [from + by * (to - from), to + by * (to - from)]);
      }
    }
    whole() {
      for (const key of new Set(this.panels.map(panel => panel.key))) this.look(key, [0, 1]);
    }
    look(key, [from, to]) {
      const width = Math.min(1, Math.max(CLOSEST, to - from));
      const begin = Math.min(1 - width, Math.max(0, (from + to - width) / 2));
      for (const panel of this.panels.filter(each => each.key === key)) {
        panel.view = [begin, begin + width];
        this.stretch(panel);
      }
      this.enable();
      if (this.panel) this.show(this.panel, this.index);
    }
    marks(panel) { // what the axes clip, each in a group that clips instead, so that it can be moved inside
      const [left, top] = panel.box, near = (a, b) => Math.abs(a - b) < 0.1;
      const clip = [...this.svg.querySelectorAll("clipPath")].find(({ firstElementChild: rect }) =>
        near(rect.x.baseVal.value, left) && near(rect.y.baseVal.value, top));
      if (!clip) return [];
      const name = `url(#${clip.id})`;
      return [...this.svg.querySelectorAll(`[clip-path="${name}"]`)].map(mark => {
        const group = document.createElementNS(SVG, "g");
        group.setAttribute("clip-path", name);
        mark.removeAttribute("clip-path");
        mark.replaceWith(group);
        return group.appendChild(mark);
      });
    }
    stretch(panel) {
      panel.moved ??= this.marks(panel);
      const [left, , right] = panel.box, [from, to] = panel.view, factor = 1 / (to - from);
      const matrix = `matrix(${factor} 0 0 1 ${left - left * factor - from * factor * (right - left)} 0)`;
      for (const mark of panel.moved) mark.setAttribute("transform", matrix);
      this.rule(panel, factor > 1);
    }
    rule(panel, zoomed) { // ticks and grid lines of what is seen, in place of those of the whole
      panel.ruler?.remove();
      if (!panel.axis) return;
      panel.axis.style.display = zoomed ? "none" : "";
      if (!zoomed) return;
      panel.ruler = document.createElementNS(SVG, "g");
      panel.axis.after(panel.ruler);
      const [, top, , bottom] = panel.box;
      for (const tick of panel.ticks()) {
        const x = panel.place(tick);
        made(panel.ruler, "line", { class: "tick", x1: x, x2: x, y1: top, y2: bottom });
        if (panel.labelled) made(panel.ruler, "text", { x, y: bottom + 10.3 }, say(panel.across, tick));
      }
    }
  }

  for (const data of document.querySelectorAll("script.readout"))
    new Figure(data.closest("figure"), JSON.parse(data.textContent));
})();
