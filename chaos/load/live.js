"use strict";
// The live page of a run: all of `chaos run --live`, and the Faults tab of Locust's web UI (live_locust.js places it).
// It shows the document that the supervisor makes (chaos/protocol/live_state.py). Whatever that says is set as text,
// never as markup.
(() => {
  const HERE = Math.random().toString(36).slice(2), RETRY = 2000, ANOTHER = 5000, LOOK_AT_FAULTS = 4000;
  const MARKS = {verified: "\u2713", falsified: "\u2717", inconclusive: "?", "no-traffic": "\u2205", "not-judged": "\u2013"};
  const {THIN, NONE, count, time, drawn, closing, rates, latencies} = window.chaosCharts;
  const inLocust = Boolean(window.templateArgs);

  // ---------------------------------------------------------------------------------------- elements
  const some = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
  const clock = (seconds) => (seconds >= 120 ? time(seconds) : `${seconds.toFixed(1)}${THIN}s`);
  function made(name, classes = "", text = "") {
    const element = document.createElement(name);
    if (classes) element.className = classes;
    if (text) element.textContent = text;
    return element;
  }
  const heading = (depth, classes, text) => made(`h${depth}`, classes, text);
  function set(element, text) {  // said aloud, and selected, only when it changes
    if (element.textContent !== text) element.textContent = text;
  }
  function keyed(parent, known, items, key, make) {  // one element an item, kept as long as the item is there
    const wanted = items.map((item) => {
      if (!known.has(key(item))) known.set(key(item), make(item));
      return known.get(key(item));
    });
    for (const name of [...known.keys()]) if (!items.some((item) => key(item) === name)) known.delete(name);
    if (wanted.length !== parent.children.length || wanted.some((each, at) => each.element !== parent.children[at])) {
      parent.replaceChildren(...wanted.map((each) => each.element));
    }
    wanted.forEach((each, at) => each.show(items[at]));
  }
  function pairs(list, told) {
    while (list.children.length > told.length) list.lastChild.remove();
    told.forEach(([name, value], at) => {
      if (!list.children[at]) list.append(made("div")), list.children[at].append(made("dt"), made("dd"));
      set(list.children[at].children[0], name);
      set(list.children[at].children[1], value);
    });
  }
  function rows(body, wanted) {
    while (body.rows.length > wanted.length) body.deleteRow(-1);
    wanted.forEach((cells, at) => {
      const row = body.rows[at] ?? body.insertRow();
      cells.forEach((text, column) => {
        if (!row.cells[column]) {
          const cell = made(column ? "td" : "th");
          if (!column) cell.scope = "row";
          row.append(cell);
        }
        set(row.cells[column], text);
      });
    });
  }

  // ---------------------------------------------------------------------------------------- one claim, one rule
  class Claim {
    constructor() {
      this.element = made("li", "card");
      const head = made("div", "head"), name = heading(3, "small-title");
      this.about = made("span", "quiet");
      this.title = made("span");
      name.append(this.title, " ", this.about);
      this.verdict = made("span", "verdict");
      head.append(name, this.verdict);
      this.numbers = made("dl", "numbers");
      this.chart = drawn("svg");
      this.sentence = made("p", "quiet");
      this.element.append(head, this.numbers, this.chart, this.sentence);
    }
    show(claim) {
      const later = claim.phase && claim.verdict === "no-traffic" && !current.phases.some((phase) => phase.name === claim.phase);
      set(this.title, claim.title);
      set(this.about, [claim.phase && !claim.title.startsWith(`${claim.phase}:`) ? `${claim.phase}:` : "", claim.about].filter(Boolean).join(" "));
      const open = !current.end && ["inconclusive", "no-traffic"].includes(claim.verdict);
      this.verdict.className = `verdict ${later || (open && claim.verdict !== "inconclusive") ? "" : claim.verdict}`;
      set(this.verdict, later ? "to come" : open ? "\u2026 open" : `${MARKS[claim.verdict] ?? ""} ${claim.verdict}`);
      const told = [["configured", claim.configured], ["observed", claim.observed || NONE], ["interval", claim.interval]];
      pairs(this.numbers, told);
      const charted = claim.trail.length > 1 && claim.band !== null;
      if (charted) closing(this.chart, claim);
      this.chart.toggleAttribute("hidden", !charted);
      set(this.sentence, later ? "" : claim.sentence);
    }
  }

  class Rule {
    constructor(rule) {
      this.key = rule.key;
      this.element = made("div", "card");
      const head = made("div", "head");
      this.button = made("button");
      this.button.type = "button";
      this.button.addEventListener("click", () => ask(this.on ? {rule: this.key, levels: this.zero} : {rule: this.key}));
      head.append(heading(3, "small-title", rule.name), this.button);
      this.now = made("p", "quiet");
      const box = made("div", "wide"), table = made("table"), row = made("tr");
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", `Faults of ${rule.name}`);
      for (const word of ["fault", "configured", "drawn", "seen by users"]) {
        const cell = made("th", "", word);
        cell.scope = "col";
        row.append(cell);
      }
      const top = made("thead");
      top.append(row);
      this.body = made("tbody");
      table.append(top, this.body);
      box.append(table);
      this.element.append(head, this.now, box);
    }
    show(rule) {
      rows(this.body, rule.faults.map((fault) => [fault.kind, fault.configured, fault.drawn || NONE, fault.observed || NONE]));
      const told = faults.rules.find((each) => each.key === this.key);
      const kinds = told ? Object.keys(told.configured).filter((name) => name !== "fixedDelay") : [];
      this.zero = Object.fromEntries(kinds.map((kind) => [kind, 0]));
      this.on = kinds.some((kind) => told.levels[kind] > 0);
      this.button.hidden = !faults.switchable || !kinds.length;
      set(this.button, this.on ? `Switch off` : `Switch on`);
      this.button.setAttribute("aria-label", `Switch ${this.on ? "off" : "on"} the faults of ${rule.name}`);
      this.button.classList.toggle("off", this.on);
      this.button.disabled = over() || lost;
      const changed = told ? Object.keys(told.levels).filter((name) => told.levels[name] !== told.configured[name]) : [];
      set(this.now, changed.map((name) => `${name} is ${told.levels[name]}${name === "fixedDelay" ? "" : `${THIN}%`} by hand, ${told.configured[name]}${name === "fixedDelay" ? "" : `${THIN}%`} by the ${name === "percentage" ? "policy" : "rules"}`).join("; "));
      this.now.hidden = !changed.length;
    }
  }
  // ---------------------------------------------------------------------------------------- the whole
  const root = document.getElementById("chaos-live") ?? made("section");
  root.id = "chaos-live";
  root.classList.add("chaos");
  const part = {};
  const add = (name, element) => (root.append(element), (part[name] = element));
  let current = {stage: "starting", phases: [], claims: [], rules: [], points: [], tasks: [], events: []};
  let faults = {enabled: true, rules: [], switchable: false, error: ""};
  let lost = false, reportUrl = "", lookedAt = 0, lookedFor = "";
  const claims = new Map(), rules = new Map();
  const over = () => current.stage === "over" || current.stage === "ending";

  function build() {
    if (inLocust) root.setAttribute("aria-label", "Faults"), root.classList.add("chaos-in-locust");
    add("title", heading(1, "title", "chaos run"));
    add("description", made("p", "quiet"));
    add("lost", made("p", "lost")).setAttribute("role", "alert");
    part.lost.hidden = true;
    add("told", made("div", "told")).hidden = true;
    part.word = made("p", "word");
    part.word.setAttribute("role", "status");
    part.reasons = made("ul");
    part.report = made("p");
    part.told.append(part.word, part.reasons, part.report);
    add("stage", made("p")).setAttribute("role", "status");
    add("tiles", made("dl", "tiles"));
    add("claimsTitle", heading(2, "part", "Claims"));
    add("claims", made("ul", "claims"));
    add("more", made("p", "quiet")).hidden = true;
    add("loadTitle", heading(2, "part", "Load"));
    part.charts = made("div", "charts");
    for (const [name, text] of [["rate", "Requests per second"], ["latency", "Latency"]]) {
      const box = made("div", "card");
      part[name] = drawn("svg");
      part[`${name}Legend`] = made("ul", "legend");
      box.append(heading(3, "small-title", text), part[name], part[`${name}Legend`]);
      part.charts.append(box);
    }
    root.append(part.charts);
    const box = add("taskBox", made("div", "wide")), table = made("table"), head = made("thead"), row = made("tr");
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "Tasks");
    for (const word of ["task", "requests", "per second", "p50", "p99"]) {
      const cell = made("th", "", word);
      cell.scope = "col";
      row.append(cell);
    }
    head.append(row);
    part.tasks = made("tbody");
    table.append(made("caption", "", "Of the whole run; requests per second of the last second."), head, part.tasks);
    box.append(table);
    add("faultsTitle", heading(2, "part", "Faults"));
    const switches = add("switches", made("div", "switches"));
    part.switch = made("button");
    part.switch.type = "button";
    part.switch.addEventListener("click", () => ask({enabled: !faults.enabled}));
    part.byHand = made("p", "by-hand");
    part.byHand.setAttribute("role", "status");
    part.undo = made("button", "", "Undo what was set by hand");
    part.undo.type = "button";
    part.undo.addEventListener("click", async () => {
      await ask({});
      part.switch.focus();
    });
    switches.append(part.switch, part.byHand, part.undo);
    add("refused", made("p", "refused")).setAttribute("role", "alert");
    part.refused.hidden = true;
    add("rules", made("div", "rules"));
    add("eventsTitle", heading(2, "part", "Events")).id = "chaos-events";
    add("events", made("ol", "events")).tabIndex = 0;
    part.events.setAttribute("aria-labelledby", "chaos-events");
  }

  function stageText(state) {
    if (state.stage === "starting") return "The run starts.";
    if (state.stage === "waiting") return "The load begins when Start is pressed.";
    const named = state.phases.at(-1);
    return named?.name ? `Phase ${named.name}: faults ${named.faults ? "on" : "off"}` : "The load is running.";
  }
  function tell(state) {
    set(part.title, state.name || "chaos run");
    set(part.description, state.description || "");
    part.description.hidden = !state.description;
    part.stage.hidden = over();
    set(part.stage, stageText(state));
    if (!inLocust) document.title = state.end ? `${state.end.outcome}: ${state.name}` : `${state.name || "chaos run"}`;
    const tiles = [["time", clock(state.at ?? 0)], ["requests", count(state.requests ?? 0)]];
    if (!over()) tiles.push(["per second", count(state.rate ?? 0)], ["users", count(state.users ?? 0)]);
    if (state.left !== null && state.left !== undefined) tiles.push(["about left", `${count(Math.ceil(state.left))}${THIN}s`]);
    const decided = state.claims.filter((claim) => ["verified", "falsified"].includes(claim.verdict)).length;
    if (state.claims.length) tiles.push(["decided", `${decided} of ${state.claims.length}`]);
    pairs(part.tiles, tiles);
    tellEnd(state.end);
  }
  function tellEnd(end) {
    part.told.hidden = !end;
    if (!end) return;
    part.told.className = `told ${end.outcome}`;
    set(part.word, `The run is over: ${end.outcome}`);
    if (part.reasons.children.length !== end.reasons.length) part.reasons.replaceChildren(...end.reasons.map((text) => made("li", "", text)));
    part.reasons.hidden = !end.reasons.length;
    if (current.stage === "ending") set(part.report, "The report is being made.");
    else if (!end.report) set(part.report, `The run ended with exit code ${end.exit_code}; it has no report.`);
    else if (part.report.dataset.of !== end.report + reportUrl) {
      part.report.dataset.of = end.report + reportUrl;
      const link = made("a", "", "Open the report");
      Object.assign(link, {href: reportUrl || "./chaos/report", target: "_blank", rel: "noopener"});
      part.report.replaceChildren(...(reportUrl ? [link, " \u2013 "] : []), made("code", "", end.report));
    }
  }

  function showLoad(state) {
    const there = state.points.length > 1;
    part.charts.hidden = part.loadTitle.hidden = !there;
    part.taskBox.hidden = !state.tasks.length;
    const last = state.points.at(-1);
    rows(part.tasks, state.tasks.map((task) => [task.name, count(task.requests),
      last && !over() ? count((last.tasks[task.name]?.[0] ?? 0) / last.seconds) : NONE, time(task.p50), time(task.p99)]));
    if (!there) return;
    rates(part.rate, state);
    latencies(part.latency, state);
    const names = JSON.stringify(state.tasks.map((task) => task.name));
    if (part.rateLegend.dataset.names === names) return;
    part.rateLegend.dataset.names = names;
    part.rateLegend.replaceChildren(...state.tasks.map((task, index) => sign(task.name, `var(--s${index % 7})`, "series")));
    part.latencyLegend.replaceChildren(...[...part.rateLegend.children].map((each) => each.cloneNode(true)),
      sign("p50", "var(--muted)", "series"), sign("p99", "var(--muted)", "series dashed"));
  }
  function sign(text, colour, classes) {
    const item = made("li"), svg = drawn("svg", {"aria-hidden": "true", viewBox: "0 0 26 10"});
    svg.append(drawn("path", {d: "M1 5 L25 5", stroke: colour, class: classes}));
    item.append(svg, text);
    return item;
  }

  function showFaults(state) {
    const there = state.rules.length > 0 || faults.switchable;
    part.faultsTitle.hidden = part.switches.hidden = !there;
    set(part.switch, faults.enabled ? "Switch faults off" : "Switch faults on");
    part.switch.classList.toggle("off", faults.enabled);
    part.switch.hidden = !faults.switchable;
    part.switch.disabled = part.undo.disabled = over() || lost;
    const byHand = faults.by_hand ?? state.by_hand ?? [];
    part.undo.hidden = !byHand.length || !faults.switchable;
    const apart = state.left_out ? ` ${some(state.left_out, "request")} met faults switched by hand, and no verdict counts them.` : "";
    set(part.byHand, (byHand.length ? `By hand: ${byHand.join(", ")}. Until that is undone, no verdict counts the requests.` : faults.enabled ? "Faults are on, as the rules have them." : "Faults are off, as the phase has them.") + apart);
    part.byHand.hidden = !faults.switchable && !state.left_out;
    part.byHand.classList.toggle("some", byHand.length > 0);
    part.refused.hidden = !faults.error || over();
    set(part.refused, faults.error || "");
    keyed(part.rules, rules, state.rules, (rule) => rule.key, (rule) => new Rule(rule));
  }
  function showEvents(state) {
    part.eventsTitle.hidden = part.events.hidden = !state.events.length;
    const last = state.events.at(-1), seen = `${state.run} ${state.events.length} ${last?.at} ${last?.text}`;
    if (part.events.dataset.seen === seen) return;
    part.events.dataset.seen = seen;
    part.events.replaceChildren(...state.events.toReversed().map((event) => {
      const item = made("li", event.level), text = made("span", "text", event.level === "info" ? event.text : `${event.level}: ${event.text}`);
      item.append(made("span", "when", clock(event.at)), text);
      return item;
    }));
  }

  function show() {
    const state = current;
    tell(state);
    part.claimsTitle.hidden = !state.claims.length;
    keyed(part.claims, claims, state.claims, (claim) => claim.id, () => new Claim());
    part.more.hidden = !state.more_claims;
    set(part.more, `${some(state.more_claims ?? 0, "more claim")} in the report.`);
    showLoad(state);
    showFaults(state);
    showEvents(state);
    part.lost.hidden = !lost;
    set(part.lost, lost ? "The run does not answer any more. What is shown is what it said last." : "");
    document.dispatchEvent(new CustomEvent("chaos-live", {detail: {state, faults, over: over(), lost}}));
  }

  // ---------------------------------------------------------------------------------------- asking
  async function ask(wanted) {
    const options = wanted && {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(wanted)};
    lookedAt = Date.now();
    try {
      faults = await (await fetch("./chaos/faults", options)).json();
      show();
    } catch {}  // the next document will not come either
  }
  async function follow() {
    let failures = 0;
    for (;;) {
      try {
        const answer = await fetch(`./chaos/live?after=${current.number ?? 0}&page=${HERE}`, {cache: "no-store"});
        const state = await answer.json();
        failures = 0;
        if (state.number === undefined) continue;
        [current, lost] = [state, false];
        if (state.stage === "over") return finish();
        const wantedFor = JSON.stringify([state.by_hand, state.phase]);
        if (!over() && (wantedFor !== lookedFor || Date.now() - lookedAt > LOOK_AT_FAULTS)) {
          lookedFor = wantedFor;
          ask();
        }
        show();
      } catch {
        lost = ++failures > 1;
        if (lost) show();
        await new Promise((resolve) => setTimeout(resolve, failures > 1 ? RETRY : 200));
      }
    }
  }
  async function finish() {  // the server ends once this page has said that it has everything
    show();
    if (current.end?.report) {
      try {
        const answer = await fetch("./chaos/report");
        if (answer.ok) reportUrl = URL.createObjectURL(new Blob([await answer.text()], {type: "text/html"}));
      } catch {}
    }
    show();
    fetch(`./chaos/seen?page=${HERE}`, {method: "POST", keepalive: true}).catch(() => 0);
    if (!inLocust) lookForAnother();
  }
  function lookForAnother() {  // `chaos run A B --live` serves one run after the other at this address
    let left = 120;
    const timer = setInterval(async () => {
      if (!--left) clearInterval(timer);
      try {
        const state = await (await fetch("./chaos/live?after=0", {cache: "no-store"})).json();
        if (!state.run || state.run === current.run) return;
        clearInterval(timer);
        const note = made("p"), link = made("a", "", "Another run is at this address now.");
        link.href = "./";
        note.append(link);
        note.setAttribute("role", "status");
        part.told.after(note);
      } catch {}
    }, ANOTHER);
  }

  build();
  if (!inLocust) {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const paint = () => {
      root.dataset.theme = document.body.dataset.theme = dark.matches ? "dark" : "light";
      document.body.classList.add("chaos");
    };
    dark.addEventListener("change", paint);
    paint();
  }
  addEventListener("resize", () => current.number && show());
  window.chaosLive = {root, ask, show, MARKS};
  show();
  ask();
  follow();
})();
