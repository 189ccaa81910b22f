"use strict";
// What is ours in Locust's web UI: live.js in the Faults tab, a bar with the verdict and a switch for the faults on every
// other, and, once the run is over, buttons that are off and a status that says so. Locust's page is made by React, so
// everything is put in place again whenever that has changed it.
(() => {
  const {root, ask, show} = window.chaosLive;
  const LOADS = ["edit", "stop", "new", "reset", "start"];
  const theirs = document.getElementById("root");
  let now = {state: {stage: "starting"}, faults: {enabled: true, switchable: false, error: ""}, over: false, lost: false};

  // ---------------------------------------------------------------------------------------- the bar
  const bar = document.createElement("section"), label = document.createElement("span"), button = document.createElement("button");
  bar.className = "chaos chaos-bar";
  bar.setAttribute("aria-label", "Faults and verdict");
  label.setAttribute("role", "status");
  button.type = "button";
  button.addEventListener("click", () => ask({enabled: !now.faults.enabled}));
  bar.append(label, button);
  document.body.append(bar);

  function fillBar() {
    const {state, faults, over, lost} = now;
    const text = state.end ? `The run is over: ${state.end.outcome}. The Faults tab has the claims.`
      : lost ? "The run does not answer any more" : faults.error ? `Faults: ${faults.error}`
      : state.stage === "waiting" ? "The load begins when you press Start" : faults.enabled ? "Faults are on" : "Faults are off";
    if (label.textContent !== text) label.textContent = text;
    button.textContent = faults.enabled ? "Switch faults off" : "Switch faults on";
    button.classList.toggle("off", faults.enabled);
    button.hidden = !faults.switchable || over || lost;
  }

  // ---------------------------------------------------------------------------------------- the tab
  function place() {
    const tab = [...theirs.querySelectorAll('[role="tab"]')].find((each) => each.textContent.trim() === "Faults");
    const chosen = tab?.getAttribute("aria-selected") === "true";
    const tabs = tab?.closest(".MuiTabs-root")?.parentElement, place = tabs?.parentElement;
    bar.hidden = chosen;
    if (!chosen || !place) return root.remove();
    for (const each of place.children) if (each !== tabs && each !== root) each.classList.add("chaos-aside");
    if (root.parentElement !== place) {
      place.append(root);
      paint();
      show();  // its charts have a width now
    }
  }
  function paint() {  // Locust has its own switch between light and dark
    const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number);
    const theme = 0.3 * red + 0.6 * green + 0.1 * blue < 128 ? "dark" : "light";
    for (const each of [root, bar]) if (each.dataset.theme !== theme) each.dataset.theme = theme;
  }

  function name() {  // what Locust leaves without one
    const themes = theirs.querySelectorAll("header button:not([aria-label])");
    for (const each of themes) if (!each.textContent) each.setAttribute("aria-label", "Switch between light and dark");
  }

  // ---------------------------------------------------------------------------------------- the end
  function switchOff() {
    if (!now.over && !now.lost) return;
    for (const each of theirs.parentElement.querySelectorAll("button:not(.chaos button)")) {
      if (LOADS.includes(each.textContent.trim().toLowerCase().split(" ")[0])) off(each);
    }
    for (const link of theirs.querySelectorAll("a[href]:not(.chaos a)")) {  // to pages of a server that ends
      if (new URL(link.href).origin === location.origin) {
        link.removeAttribute("href");
        link.setAttribute("aria-disabled", "true");
        link.dataset.chaosOff = "yes";
      }
    }
  }
  function off(each) {  // React knows nothing of these attributes and leaves them; it does rewrite the classes
    if (each.disabled && each.dataset.chaosOff) return;
    each.disabled = true;
    each.dataset.chaosOff = "yes";
  }

  // Locust asks its server again and again while the load runs. When the run is over it gets a load that has stopped,
  // and what was said last, as the server ends soon; until then a load that ends still runs, or it would ask no more.
  const said = new Map(), sent = window.fetch;
  window.fetch = async (input, options) => {
    const address = new URL(input instanceof Request ? input.url : input, location.href);
    const method = options?.method ?? (input instanceof Request ? input.method : "GET");
    if (address.pathname.includes("/chaos/") || method !== "GET") return sent(input, options);
    try {
      if (now.state.stage === "over" && said.has(address.pathname)) throw new Error("it has ended, or will");
      const answer = await sent(input, options);
      if (!answer.ok || !answer.headers.get("content-type")?.includes("json")) return answer;
      said.set(address.pathname, await answer.json());
    } catch (error) {
      if (!said.has(address.pathname)) throw error;
    }
    const last = said.get(address.pathname);
    return Response.json(address.pathname.endsWith("/stats/requests") ? {...last, state: stateNow(last.state)} : last);
  };
  function stateNow(said) {
    return now.over || now.lost ? "stopped" : ["cleanup", "stopping", "stopped"].includes(said) ? "running" : said;
  }

  const update = () => {
    place();
    paint();
    name();
    switchOff();
  };
  new MutationObserver(update).observe(document.body, {childList: true, subtree: true, attributes: true, attributeFilter: ["aria-selected"]});
  document.addEventListener("click", () => setTimeout(paint, 50));
  document.addEventListener("chaos-live", (event) => {
    now = event.detail;
    fillBar();
    update();
  });
  update();
  show();
})();
