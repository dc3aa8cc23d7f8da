/* The X-ray page: counts in a window of q and phi, asked for as the window moves, drawn on the figures it is
   chosen on. */
(function () {
  "use strict";

  const BRUSHES = ["polar", "positions"];
  const state = { asked: 0, window: null };

  const graphOf = (id) => document.querySelector("#" + id + " .js-plotly-plot") || document.querySelector("#" + id + ".js-plotly-plot");
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

  /* ---- the map -------------------------------------------------------------------------------------- */

  async function windowMap(q, phi, opposite, frame, sample) {
    const nothing = Array(4).fill(window.dash_clientside.no_update);
    if (!frame || !q || !phi) return nothing;
    state.window = { q, phi, opposite: opposite === "on" };
    drawWindow();
    const mine = ++state.asked, { index, shape, trace } = frame.layout.meta.window;
    const query = "q0=" + q[0] + "&q1=" + q[1] + "&p0=" + phi[0] + "&p1=" + phi[1] + "&o=" + (opposite === "on" ? 1 : 0);
    const page = document.querySelector("[data-linked]"), name = encodeURIComponent(sample);
    const answer = await fetch("/window/" + name + "/" + index + ".bin?" + query + "&v=" + (page ? page.dataset.version : ""));
    if (mine !== state.asked) return nothing;
    if (!answer.ok) return [nothing[0], "no counts:", "the patterns cannot be read", nothing[0]];
    const bytes = await answer.arrayBuffer();
    const figure = filled(frame, trace, bytes, shape);
    return [figure, ...words(q, phi, opposite, answer.headers.get("X-Pixels")), "/csv/" + name + "/xray/" + index + "/window.csv?" + query];
  }

  function filled(frame, trace, bytes, shape) {
    const counted = Array.from(new Float32Array(bytes)).filter(isFinite).sort((a, b) => a - b);
    const at = (share) => counted[Math.round(share * (counted.length - 1))] || 0;
    const low = at(0.01), high = Math.max(at(0.99), low + 1);
    const z = { dtype: "f4", bdata: packed(bytes), shape: shape.join(", ") };
    const data = frame.data.map((one) => (one.name === trace ? { ...one, z, zmin: low, zmax: high } : one));
    const live = graphOf("window-map"), kept = live && live.layout ? live.layout.template : null;
    return { ...frame, data, layout: { ...frame.layout, template: kept || frame.layout.template } };
  }

  function packed(bytes) {
    const all = new Uint8Array(bytes), parts = [];
    for (let at = 0; at < all.length; at += 8192) parts.push(String.fromCharCode(...all.subarray(at, at + 8192)));
    return btoa(parts.join(""));
  }

  const number = (value, digits) => value.toFixed(digits).replace("-", "−");

  function words(q, phi, opposite, pixels) {
    const whole = phi[1] - phi[0] >= 360;
    return [
      number(q[0], 2) + " to " + number(q[1], 2) + " nm⁻¹",
      (whole ? "all φ" : number(phi[0], 0) + "° to " + number(phi[1], 0) + "°") + ", " + Number(pixels).toLocaleString("en") + " px",
    ];
  }

  /* ---- the window on the figures it is chosen on ---------------------------------------------------- */

  /* Parts of phi, within -180 ... 180, that a window covers. */
  function turns({ phi, opposite }) {
    if (phi[1] - phi[0] >= 360) return [[-180, 180]];
    const found = [];
    for (const turn of opposite ? [0, 180] : [0]) {
      for (const whole of [-720, -360, 0, 360]) {
        const low = Math.max(phi[0] + turn + whole, -180), high = Math.min(phi[1] + turn + whole, 180);
        if (low < high) found.push([low, high]);
      }
    }
    return found;
  }

  function shapesOf(id) {
    const { q } = state.window;
    const frame = { type: "rect", xref: "x", yref: "y", name: "window", line: { color: "#ffffff", width: 1.5 }, fillcolor: "rgba(255,255,255,0.10)" };
    if (id === "polar") return turns(state.window).map(([x0, x1]) => ({ ...frame, x0, x1, y0: q[0], y1: q[1] }));
    return [{ ...frame, yref: "paper", x0: q[0], x1: q[1], y0: 0, y1: 1, layer: "below", line: { width: 0 }, fillcolor: "rgba(127,127,127,0.18)" }];
  }

  function drawWindow() {
    if (!state.window) return;
    for (const id of BRUSHES) {
      const graph = graphOf(id);
      if (!graph || !graph._fullLayout || !graph._fullLayout.xaxis) continue;
      const all = graph.layout.shapes || [], wanted = shapesOf(id);
      const known = all.filter((shape) => shape.name === "window").map(({ name, x0, x1, y0, y1 }) => ({ name, x0, x1, y0, y1 }));
      if (same(known, wanted.map(({ name, x0, x1, y0, y1 }) => ({ name, x0, x1, y0, y1 })))) continue;
      window.Plotly.relayout(graph, { shapes: [...all.filter((shape) => shape.name !== "window"), ...wanted] });
    }
  }

  /* ---- choosing a window by drawing it -------------------------------------------------------------- */

  function choose(id, event) {
    const range = event && event.range;
    if (!range || !range.x) return;
    const q = rising(id === "polar" ? range.y : range.x), turn = id === "polar" ? rising(range.x) : null;
    setSlider("wq", q);
    if (turn) setSlider("wp", turn);
    const graph = graphOf(id);
    setTimeout(() => window.Plotly.relayout(graph, { selections: [] }), 0);
  }

  const rising = (pair) => [Math.min(...pair), Math.max(...pair)];

  /* Put two values on a slider: on its steps, between its limits, at least a step apart. */
  function setSlider(name, [low, high]) {
    const { min, max, step } = state.limits[name];
    const onStep = (value) => Number((Math.round(value / step) * step).toFixed(4));
    const first = Math.min(Math.max(onStep(low), min), max - step), last = Math.min(Math.max(onStep(high), first + step), max);
    window.dash_clientside.set_props({ type: "view", name }, { value: [Number(first.toFixed(4)), Number(last.toFixed(4))] });
  }

  function attach() {
    const sliders = document.querySelector("[data-window-limits]");
    if (!sliders) { state.window = null; return; }
    state.limits = JSON.parse(sliders.dataset.windowLimits);
    for (const id of BRUSHES) {
      const graph = graphOf(id);
      if (!graph || graph.triptychBrush || !graph.on) continue;
      graph.triptychBrush = true;
      graph.on("plotly_selected", (event) => choose(id, event));
      graph.on("plotly_afterplot", drawWindow);
      drawWindow();
    }
  }

  new MutationObserver(attach).observe(document.documentElement, { childList: true, subtree: true });
  window.dash_clientside = Object.assign({}, window.dash_clientside, { triptychXray: { windowMap } });
})();
