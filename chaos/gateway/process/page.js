"use strict";
// Shows what GET /faults and GET /counters say, once a second, and sends what somebody sets. Everything that comes from
// the API is set as text, never as markup.
const EVERY = 1000;
const HAPPENED = {delay: "delayed", abort: "aborted"};
const of = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat("en", {maximumFractionDigits: 0});
const count = (value) => numbers.format(value).replaceAll(",", "\u202f");
const cards = new Map();
let token = "", before = null, shown = "", timer = 0;

class TokenWanted extends Error {}

async function call(method, path, body) {
  const headers = token ? {authorization: `Bearer ${token}`} : {};
  if (body) headers["content-type"] = "application/json";
  const answer = await fetch(path, {method, headers, body: body && JSON.stringify(body), cache: "no-store"});
  if (answer.status === 401) throw new TokenWanted();
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said;
}

function made(name, text = "", classes = "") {
  const element = document.createElement(name);
  element.textContent = text;
  if (classes) element.className = classes;
  return element;
}

// ------------------------------------------------------------------------------------------ one rule

const label = (name) => (name === "fixedDelay" ? "fixed delay" : `${name}, %`);
const level = (name, value) => (name === "fixedDelay" ? value : `${value} %`);
const path = (key) => `/faults/${key.split("/").map(encodeURIComponent).join("/")}`;

class Card {
  constructor(rule) {
    this.key = rule.key;
    this.element = made("article");
    this.element.setAttribute("aria-label", "percentage" in rule.configured ? rule.name : `Rule ${rule.name}`);
    this.element.append(made("h2", rule.name), made("p", rule.hosts.join(", "), "quiet"));
    if (rule.where) this.element.append(made("p", rule.where, "quiet"));
    this.fields = new Map();
    if (Object.keys(rule.configured).length) this.element.append(this.form(rule));
    this.refused = made("p", "", "refused");
    this.refused.setAttribute("role", "alert");
    this.refused.hidden = true;
    this.counts = made("dl");
    this.element.append(this.refused, this.counts);
  }

  form(rule) {
    const form = made("form");
    form.noValidate = true;  // the API says what is wrong
    for (const [name, own] of Object.entries(rule.configured)) {
      const box = made("label", label(name)), input = made("input");
      Object.assign(input, {name, value: rule.levels[name], inputMode: name === "fixedDelay" ? "text" : "decimal"});
      input.autocomplete = "off";
      box.append(input, made("span", `by the ${name === "percentage" ? "policy" : "rules"} ${level(name, own)}`, "own"));
      form.append(box);
      this.fields.set(name, {box, input, now: String(rule.levels[name])});
    }
    const set = made("button", "Set", "set");
    this.own = made("button", "Back to the rules");
    this.own.type = "button";
    this.own.addEventListener("click", () => this.change("DELETE"));
    form.append(set, this.own);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.change("PUT", this.wanted());
    });
    return form;
  }

  wanted() {  // null is no percentage: the API refuses it
    const edited = [...this.fields].filter(([, field]) => field.input.value !== field.now);
    return Object.fromEntries(edited.map(([name, {input}]) => [name, name === "fixedDelay" ? input.value.trim()
      : input.value.trim() === "" ? null : Number(input.value.trim().replace(/%$/, ""))]));
  }

  async change(method, body) {
    this.refused.hidden = true;
    if (body && !Object.keys(body).length) return;
    try {
      const rule = await call(method, path(this.key), body);
      for (const [name, field] of this.fields) field.input.value = field.now = String(rule.levels[name]);
      await look();
    } catch (error) {
      if (error instanceof TokenWanted) return askForToken();
      this.refused.textContent = error.message;
      this.refused.hidden = false;
    }
  }

  show(rule, counts, rate) {
    for (const [name, field] of this.fields) {
      const now = String(rule.levels[name]);
      if (field.input.value === field.now) field.input.value = now;  // else somebody is writing there
      field.now = now;
      field.box.classList.toggle("changed", now !== String(rule.configured[name]));
    }
    if (this.own) this.own.disabled = ![...this.fields.values()].some(({box}) => box.classList.contains("changed"));
    const told = [["requests", count(counts.requests)], ["per second", rate === null ? "–" : count(rate)]];
    if ("percentage" in rule.configured) {
      told.push(["met its fault", count(counts.met.policy ?? 0) + (counts.requests ? ` (${((100 * counts.met.policy) / counts.requests).toFixed(1)} %)` : "")]);
    }
    for (const [kind, word] of Object.entries(HAPPENED)) {
      if (!(kind in rule.configured) && !counts.met[kind]) continue;
      const share = counts.requests ? ` (${((100 * counts.met[kind]) / counts.requests).toFixed(1)} %)` : "";
      told.push([word, count(counts.met[kind]) + share]);
    }
    for (const status of Object.keys(counts.statuses).sort()) {
      told.push([status === "0" ? "left first" : `status ${status}`, count(counts.statuses[status])]);
    }
    this.counts.replaceChildren(...told.map(([name, value]) => {
      const pair = made("div");
      pair.append(made("dt", name), made("dd", value));
      return pair;
    }));
  }
}

// ------------------------------------------------------------------------------------------ the whole

function totals(counters) {
  const found = new Map();
  for (const rules of Object.values(counters.phases)) {
    for (const [key, counts] of Object.entries(rules)) {
      const into = found.get(key) ?? {requests: 0, met: {delay: 0, abort: 0}, statuses: {}};
      into.requests += counts.requests;
      for (const [tag, n] of Object.entries(counts.faults)) {
        for (const kind of tag.split(",")) into.met[kind] = (into.met[kind] ?? 0) + n;
      }
      for (const [status, n] of Object.entries(counts.statuses)) into.statuses[status] = (into.statuses[status] ?? 0) + n;
      found.set(key, into);
    }
  }
  for (const policies of Object.values(counters.policies ?? {})) {
    for (const [name, counts] of Object.entries(policies)) {
      const into = found.get(`policy/${name}`) ?? {requests: 0, met: {delay: 0, abort: 0, policy: 0}, statuses: {}};
      into.requests += counts.targeted;
      into.met.policy += counts.met;
      found.set(`policy/${name}`, into);
    }
  }
  return found;
}

function show(faults, counters) {
  const now = totals(counters), keys = JSON.stringify(faults.rules.map((rule) => [rule.key, rule.configured, rule.where]));
  if (keys !== shown) {  // other rules: other cards
    cards.clear();
    for (const rule of faults.rules) cards.set(rule.key, new Card(rule));
    of("rules").replaceChildren(...[...cards.values()].map((card) => card.element));
    shown = keys;
  }
  const passed = before && counters.seconds - before.seconds;
  for (const rule of faults.rules) {
    const counts = now.get(rule.key) ?? {requests: 0, met: {delay: 0, abort: 0}, statuses: {}};
    const rate = passed > 0 ? (counts.requests - (before.totals.get(rule.key)?.requests ?? 0)) / passed : null;
    cards.get(rule.key).show(rule, counts, rate);
  }
  before = {seconds: counters.seconds, totals: now};
  const some = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
  of("about").textContent = `${some(counters.workers, "worker")}, ${some(counters.connections, "connection")}, rules loaded ${some(counters.generation, "time")}`;
  of("switch").setAttribute("aria-checked", String(faults.enabled));
  const byHand = faults.by_hand.length ? `Set by hand: ${faults.by_hand.join(", ")}` : "Nothing is set by hand.";
  if (of("by-hand").textContent !== byHand) of("by-hand").textContent = byHand;  // said aloud only when it changes
  of("by-hand").classList.toggle("some", faults.by_hand.length > 0);
  of("undo").hidden = !faults.by_hand.length;
  of("unmatched").hidden = !counters.unmatched;
  of("unmatched").textContent = `${some(counters.unmatched, "request")} that no rule takes`;
  of("all").hidden = false;
  of("login").hidden = true;
  trouble("");
}

function trouble(text) {
  if (of("trouble").textContent !== text) of("trouble").textContent = text;
  of("trouble").hidden = !text;
  for (const control of document.querySelectorAll("#all button, #all input")) {
    if (text) control.disabled = true;
    else if (control.textContent !== "Back to the rules") control.disabled = false;
  }
}

function askForToken() {
  clearTimeout(timer);
  trouble(token ? "The gateway does not take this token." : "");
  token = "";
  of("all").hidden = true;
  of("login").hidden = false;
  of("token").focus();
}

async function look() {
  clearTimeout(timer);
  try {
    const [faults, counters] = await Promise.all([call("GET", "/faults"), call("GET", "/counters")]);
    show(faults, counters);
  } catch (error) {
    if (error instanceof TokenWanted) return askForToken();
    trouble("The gateway does not answer; what is shown is what it said last.");
  }
  clearTimeout(timer);
  timer = setTimeout(look, EVERY);
}

async function send(method, body) {
  try {
    await call(method, "/faults", body);
    await look();
  } catch (error) {
    if (error instanceof TokenWanted) askForToken();
    else trouble(error.message);
  }
}

of("switch").addEventListener("click", () => send("PUT", {enabled: of("switch").getAttribute("aria-checked") !== "true"}));
of("undo").addEventListener("click", async () => {
  await send("DELETE");
  if (of("undo").hidden) of("switch").focus();  // the button is gone
});
of("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = of("token").value;
  of("token").value = "";
  look();
});
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
look();
