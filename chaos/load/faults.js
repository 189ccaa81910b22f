// A switch for the gateway's faults, on every tab of Locust's web UI: whoever watches a run can end the harm at once.
(() => {
  const panel = document.createElement("div");
  panel.id = "chaos-faults";
  panel.setAttribute("role", "group");
  panel.setAttribute("aria-label", "Faults");
  panel.style.cssText =
    "position:fixed;right:16px;bottom:16px;z-index:1300;display:flex;gap:12px;align-items:center;padding:10px 14px;" +
    "border-radius:8px;font:500 14px/1.2 Roboto,Helvetica,Arial,sans-serif;color:#fff;background:#37474f;" +
    "box-shadow:0 2px 8px rgba(0,0,0,.35)";
  const label = document.createElement("span");
  const button = document.createElement("button");
  button.type = "button";
  button.style.cssText =
    "border:0;border-radius:4px;padding:7px 12px;font:inherit;color:#fff;background:#00796b;cursor:pointer";
  panel.append(label, button);
  let enabled = true;

  const show = (state) => {
    enabled = state.enabled;
    label.textContent = state.error ? `Faults: ${state.error}` : enabled ? "Faults are on" : "Faults are off";
    button.textContent = enabled ? "Switch faults off" : "Switch faults on";
    button.style.background = enabled ? "#c62828" : "#00796b";
    button.setAttribute("aria-pressed", String(enabled));
    button.disabled = !state.switchable;
  };
  const ask = async (options) => {
    try {
      const answer = await fetch("./chaos/faults", options);
      show(await answer.json());
    } catch {
      label.textContent = "The run is over";
      button.hidden = true;
    }
  };
  button.addEventListener("click", () =>
    ask({
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ enabled: !enabled }),
    }),
  );
  document.body.append(panel);
  ask();
  setInterval(ask, 2000);
})();
