/* The cursor that all panels of a sample share: point at one, and each shows the same s, drawn here in the
   browser, with the values that stand there. */
(function () {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const MAPS = ["xray", "sem", "afm"];
  const state = { data: null, key: "", at: null, direction: [1, 0], scheduled: false };

  /* ---- numbers ------------------------------------------------------------------------------------- */

  function withError(value, error, unit) {
    const suffix = unit ? (unit === "°" ? "°" : " " + unit) : "";
    if (value === null || !isFinite(value)) return "–";
    if (!error || !isFinite(error) || error <= 0) return Number(value.toPrecision(3)) + suffix;
    const digits = Math.min(Math.max(0, 1 - Number(error.toExponential(1).split("e")[1])), 12);
    return value.toFixed(digits) + " ± " + error.toFixed(digits) + suffix;
  }

  function decode(packed) {
    if (!packed) return null;
    const text = atob(packed.f !== undefined ? packed.f : packed.b);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return packed.f !== undefined ? new Float32Array(bytes.buffer) : bytes;
  }

  /* Every packed array of the answer becomes a typed array, in place. */
  function unpack(node) {
    if (node === null || typeof node !== "object") return node;
    if (typeof node.f === "string" || typeof node.b === "string") return decode(node);
    for (const key of Object.keys(node)) node[key] = unpack(node[key]);
    return node;
  }

  /* ---- the page's graphs ---------------------------------------------------------------------------- */

  const root = () => document.querySelector("[data-linked]");
  const box = (panel) => document.querySelector('.linked[data-panel="' + panel + '"]');
  const graphOf = (element) => (element ? element.querySelector(".js-plotly-plot") : null);

  function plotOf(panel) {
    const element = box(panel);
    const graph = graphOf(element);
    if (!graph || !graph._fullLayout || !graph._fullLayout.xaxis || !graph._fullLayout.xaxis._length) return null;
    return { element, graph, x: graph._fullLayout.xaxis, y: graph._fullLayout.yaxis, meta: (graph.layout || {}).meta || {} };
  }

  function indexOf(plot) {
    return plot.meta.link && plot.meta.link.index ? plot.meta.link.index : 0;
  }

  function reductionOf(panel, plot) {
    return state.data && state.data[panel] ? state.data[panel][indexOf(plot)] : null;
  }

  function pointIn(plot, clientX, clientY) {
    const frame = plot.graph.getBoundingClientRect();
    const px = clientX - frame.left - plot.x._offset;
    const py = clientY - frame.top - plot.y._offset;
    if (px < 0 || py < 0 || px > plot.x._length || py > plot.y._length) return null;
    return [plot.x.p2d(px), plot.y.p2d(py)];
  }

  /* ---- from a place to s, and back ------------------------------------------------------------------ */

  function cellAt(grid, x, y) {
    const dx = x - grid.x0, dy = y - grid.y0;
    const [cx, cy] = grid.col, [rx, ry] = grid.row;
    const det = cx * ry - cy * rx;
    return [(cx * dy - cy * dx) / det, (ry * dx - rx * dy) / det];
  }

  function nearest(grid, x, y) {
    const [row, col] = cellAt(grid, x, y).map(Math.round);
    return row >= 0 && col >= 0 && row < grid.rows && col < grid.cols ? [row, col, row * grid.cols + col] : null;
  }

  function bilinear(grid, values, x, y) {
    const [r, c] = cellAt(grid, x, y);
    const row = Math.min(Math.max(Math.floor(r), 0), grid.rows - 2), col = Math.min(Math.max(Math.floor(c), 0), grid.cols - 2);
    if (r < -0.5 || c < -0.5 || r > grid.rows - 0.5 || c > grid.cols - 0.5) return NaN;
    const v = r - row, u = c - col, at = row * grid.cols + col;
    return (1 - v) * ((1 - u) * values[at] + u * values[at + 1])
      + v * ((1 - u) * values[at + grid.cols] + u * values[at + grid.cols + 1]);
  }

  /* Places in the crystal's own rectangle: u / A and v / B, both in -1 ... 1 inside. */
  function toFrame(frame, x, y) {
    const [cx, cy, a, b, angle] = frame;
    const dx = x - cx, dy = y - cy;
    return [(dx * Math.cos(angle) - dy * Math.sin(angle)) / a, (dx * Math.sin(angle) + dy * Math.cos(angle)) / b];
  }

  function fromFrame(frame, u, v) {
    const [cx, cy, a, b, angle] = frame;
    const along = u * a, across = v * b;
    return [cx + along * Math.cos(angle) + across * Math.sin(angle), cy - along * Math.sin(angle) + across * Math.cos(angle)];
  }

  /* The coordinate that the co-profile is drawn along: all places of equal s are of that kind. */
  function kind() {
    const plot = plotOf("coprofile"), asked = plot && plot.meta.link ? plot.meta.link.coordinate : "";
    return asked === "distance" || asked === "ray" ? asked : "rectangle";
  }

  function otherKind(reduction) {
    const asked = kind();
    return asked !== "rectangle" && reduction.kinds ? reduction.kinds[asked] || null : null;
  }

  function valuesOfS(reduction) {
    const other = otherKind(reduction);
    return other ? other.s : reduction.s;
  }

  const frameOf = (reduction) => (otherKind(reduction) ? null : reduction.frame);

  function sAt(reduction, x, y) {
    if (frameOf(reduction)) {
      const [u, v] = toFrame(reduction.frame, x, y);
      const s = 1 - Math.max(Math.abs(u), Math.abs(v));
      return s >= 0 ? s : NaN;
    }
    return reduction.s ? bilinear(reduction.grid, valuesOfS(reduction), x, y) : NaN;
  }

  /* Line segments where values on a grid cross a level (marching squares, no saddle resolved). */
  function contour(grid, values, level) {
    const segments = [];
    const place = (row, col) => [grid.x0 + col * grid.col[0] + row * grid.row[0], grid.y0 + col * grid.col[1] + row * grid.row[1]];
    for (let row = 0; row + 1 < grid.rows; row++) {
      for (let col = 0; col + 1 < grid.cols; col++) {
        const corners = [[row, col], [row, col + 1], [row + 1, col + 1], [row + 1, col]];
        const heights = corners.map(([r, c]) => values[r * grid.cols + c] - level);
        if (!heights.every(isFinite)) continue;
        const crossings = [];
        for (let k = 0; k < 4; k++) {
          const next = (k + 1) % 4;
          if (heights[k] < 0 === heights[next] < 0) continue;
          const t = heights[k] / (heights[k] - heights[next]);
          crossings.push(place(
            corners[k][0] + t * (corners[next][0] - corners[k][0]), corners[k][1] + t * (corners[next][1] - corners[k][1])));
        }
        if (crossings.length >= 2) segments.push([crossings[0], crossings[1]]);
      }
    }
    return segments;
  }

  function isoSegments(reduction, s) {
    if (frameOf(reduction)) {
      const r = 1 - s;
      const corners = [[-r, -r], [r, -r], [r, r], [-r, r]].map(([u, v]) => fromFrame(reduction.frame, u, v));
      return corners.map((corner, k) => [corner, corners[(k + 1) % 4]]);
    }
    return reduction.s ? contour(reduction.grid, valuesOfS(reduction), s) : [];
  }

  function inView(plot, [x, y]) {
    const px = plot.x.d2p(x), py = plot.y.d2p(y);
    return px >= 0 && py >= 0 && px <= plot.x._length && py <= plot.y._length;
  }

  /* A place at s in a panel that is not pointed at: in the same direction from the centre where that is in
     view, in a mirrored one where not; on an image without an outline the place nearest to its middle. */
  function placeAt(plot, reduction, s) {
    if (frameOf(reduction)) {
      const [du, dv] = state.direction, r = 1 - s;
      const ways = [[du, dv], [-du, dv], [du, -dv], [-du, -dv], [dv, du], [-dv, du], [dv, -du], [-dv, -du]];
      return ways.map(([u, v]) => fromFrame(reduction.frame, r * u, r * v)).find((point) => inView(plot, point)) || null;
    }
    const middle = [plot.x.p2d(plot.x._length / 2), plot.y.p2d(plot.y._length / 2)];
    let best = null, least = Infinity;
    for (const [from, to] of isoSegments(reduction, s)) {
      const point = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
      const distance = Math.hypot(point[0] - middle[0], point[1] - middle[1]);
      if (distance < least && inView(plot, point)) { least = distance; best = point; }
    }
    return best;
  }

  /* ---- pointing ------------------------------------------------------------------------------------- */

  function point(panel, x, y) {
    const plot = plotOf(panel);
    if (!plot || !state.data) return;
    const at = { panel, x, y, s: NaN, s_err: null, depth: null, row: null, col: null };
    if (panel === "coprofile") at.s = plot.meta.link.coordinate === "depth" ? sOfDepth(x) : x;
    else if (panel === "crossplot") at.s = sOfNearestBin(plot, x, y);
    else locate(at, plot, reductionOf(panel, plot));
    if (!(at.s >= 0 && at.s <= 1)) at.s = NaN;
    state.at = at;
    schedule();
  }

  function locate(at, plot, reduction) {
    if (!reduction) return;
    at.s = sAt(reduction, at.x, at.y);
    if (reduction.frame && isFinite(at.s)) {
      const [u, v] = toFrame(reduction.frame, at.x, at.y);
      const most = Math.max(Math.abs(u), Math.abs(v));
      if (most > 1e-6) state.direction = [u / most, v / most];
    }
    const cell = nearest(reduction.grid, at.x, at.y);
    if (cell && at.panel !== "sem") {
      [at.row, at.col] = cell;
      at.cell = cell[2];
      const other = otherKind(reduction), errors = other ? other.s_err : reduction.s_err;
      if (errors) at.s_err = errors[at.cell];
      if (reduction.depth) at.depth = reduction.depth[at.cell];
    }
    if (at.panel === "sem") {
      at.region = reduction.regions.find((r) => at.x >= r.x && at.x <= r.x + r.size && at.y >= r.y && at.y <= r.y + r.size);
      at.s_err = at.region ? at.region.s_err : null;
      at.depth = reduction.length ? at.s * reduction.length : null;
    }
  }

  function sOfDepth(depth) {
    const plot = plotOf("xray") || plotOf("afm");
    const reduction = plot && reductionOf(plot.element.dataset.panel, plot);
    if (!reduction || !reduction.depth || !reduction.s) return NaN;
    const all = valuesOfS(reduction);
    let best = NaN, least = Infinity;
    for (let i = 0; i < all.length; i++) {
      const miss = Math.abs(reduction.depth[i] - depth);
      if (isFinite(all[i]) && miss < least) { least = miss; best = all[i]; }
    }
    return best;
  }

  function depthOfS(s) {
    for (const panel of ["xray", "afm"]) {
      const plot = plotOf(panel), reduction = plot && reductionOf(panel, plot);
      if (!reduction || !reduction.depth || !reduction.s) continue;
      const all = valuesOfS(reduction);
      let best = NaN, least = Infinity;
      for (let i = 0; i < all.length; i++) {
        const miss = Math.abs(all[i] - s);
        if (miss < least) { least = miss; best = reduction.depth[i]; }
      }
      return best;
    }
    return NaN;
  }

  function sOfNearestBin(plot, x, y) {
    const trace = plot.graph._fullData[0], s = plot.meta.link.s;
    let best = NaN, least = Infinity;
    for (let i = 0; i < s.length; i++) {
      const distance = Math.hypot(plot.x.d2p(trace.x[i]) - plot.x.d2p(x), plot.y.d2p(trace.y[i]) - plot.y.d2p(y));
      if (distance < least) { least = distance; best = s[i]; }
    }
    return best;
  }

  function schedule() {
    if (state.scheduled) return;
    state.scheduled = true;
    requestAnimationFrame(() => { state.scheduled = false; draw(); });
  }

  /* ---- drawing -------------------------------------------------------------------------------------- */

  function draw() {
    const at = state.at;
    for (const panel of MAPS) drawMap(panel, at);
    drawCoprofile(at);
    drawCrossplot(at);
    if (at) writeValues(at);
  }

  function lines(plot) {
    const holder = plot.element.querySelector(".overlay-lines");
    let outer = holder.firstElementChild;
    if (!outer) {
      outer = document.createElementNS(SVG, "svg");
      outer.setAttribute("class", "overlay-svg");
      const inner = document.createElementNS(SVG, "svg");
      for (const name of ["iso-halo", "iso"]) {
        const path = document.createElementNS(SVG, "path");
        path.setAttribute("class", name);
        inner.appendChild(path);
      }
      outer.appendChild(inner);
      holder.appendChild(outer);
    }
    const inner = outer.firstElementChild;
    inner.setAttribute("x", plot.x._offset);
    inner.setAttribute("y", plot.y._offset);
    inner.setAttribute("width", plot.x._length);
    inner.setAttribute("height", plot.y._length);
    return inner;
  }

  function setPath(plot, d) {
    for (const path of lines(plot).children) path.setAttribute("d", d);
  }

  function setCursor(plot, place) {
    const cursor = plot.element.querySelector(".cursor");
    cursor.classList.toggle("cursor-on", Boolean(place));
    if (place) {
      const left = plot.x._offset + plot.x.d2p(place[0]), top = plot.y._offset + plot.y.d2p(place[1]);
      cursor.style.transform = "translate(" + left.toFixed(2) + "px," + top.toFixed(2) + "px)";
    }
  }

  function drawMap(panel, at) {
    const plot = plotOf(panel);
    if (!plot) return;
    const reduction = reductionOf(panel, plot);
    const here = at && at.panel === panel;
    plot.element.classList.toggle("pointed", Boolean(here));
    if (!at || !reduction || !isFinite(at.s)) {
      setPath(plot, "");
      setCursor(plot, here ? [at.x, at.y] : null);
      return;
    }
    const d = isoSegments(reduction, at.s).map(([from, to]) =>
      "M" + plot.x.d2p(from[0]).toFixed(1) + " " + plot.y.d2p(from[1]).toFixed(1)
      + "L" + plot.x.d2p(to[0]).toFixed(1) + " " + plot.y.d2p(to[1]).toFixed(1)).join("");
    setPath(plot, d);
    setCursor(plot, here ? [at.x, at.y] : placeAt(plot, reduction, at.s));
  }

  function drawCoprofile(at) {
    const plot = plotOf("coprofile");
    if (!plot) return;
    const x = !at || !isFinite(at.s) ? NaN : plot.meta.link.coordinate === "depth" ? depthOf(at) : at.s;
    const cursor = plot.element.querySelector(".cursor");
    const px = isFinite(x) ? plot.x.d2p(x) : -1;
    const on = px >= 0 && px <= plot.x._length;
    cursor.classList.toggle("cursor-on", on);
    cursor.style.height = plot.y._length + "px";
    if (on) cursor.style.transform = "translate(" + (plot.x._offset + px).toFixed(2) + "px," + plot.y._offset + "px)";
  }

  function drawCrossplot(at) {
    const plot = plotOf("crossplot");
    if (!plot || !plot.meta.link) return;
    const s = plot.meta.link.s, trace = plot.graph._fullData[0];
    let best = -1;
    if (at && isFinite(at.s)) {
      s.forEach((value, i) => { if (best < 0 || Math.abs(value - at.s) < Math.abs(s[best] - at.s)) best = i; });
    }
    const place = best >= 0 ? [trace.x[best], trace.y[best]] : null;
    setCursor(plot, place && inView(plot, place) ? place : null);
  }

  function depthOf(at) {
    return at.depth !== null && isFinite(at.depth) ? at.depth : depthOfS(at.s);
  }

  function bin(modality, quantity, s) {
    const plot = plotOf(modality), index = plot ? indexOf(plot) : 0;
    const profile = state.data.profiles.find((p) => p.modality === modality && p.quantity === quantity && p.index === index && p.coordinate === kind());
    if (!profile || !isFinite(s)) return null;
    for (let i = 0; i < profile.lo.length; i++) {
      const last = i === profile.lo.length - 1;
      if (s >= profile.lo[i] && (s < profile.hi[i] || (last && s <= profile.hi[i])) && profile.n[i] > 0) {
        return { value: profile.mean[i], error: profile.sem[i], unit: profile.unit };
      }
    }
    return null;
  }

  function write(name, text) {
    const element = document.querySelector('[data-testid="value-' + name + '"]');
    if (element && element.textContent !== text) element.textContent = text;
  }

  function writeValues(at) {
    const inside = isFinite(at.s);
    const named = document.getElementById("name-s"), called = kind() === "rectangle" ? "s" : "s (" + kind() + ")";
    if (named && named.textContent !== called) named.textContent = called;
    write("s", inside ? (at.s_err ? withError(at.s, at.s_err, "") : at.s.toFixed(2)) : "–");
    const depth = inside ? depthOf(at) : NaN;
    write("depth", isFinite(depth) ? depth.toFixed(2) + " µm" : "–");
    const hint = document.getElementById("readout-hint");
    if (hint) hint.textContent = hintText(at, inside);
    write("xray", xrayText(at));
    write("sem", semText(at));
    write("afm", afmText(at));
  }

  function hintText(at, inside) {
    if (!inside) return MAPS.includes(at.panel) ? "outside the crystal" : "";
    const plot = at.panel === "xray" ? plotOf("xray") : null;
    if (plot && at.cell !== undefined) {
      const scan = reductionOf("xray", plot);
      return "point: row " + at.row + ", column " + at.col + ", " + scan.statusText[scan.status[at.cell]];
    }
    return at.panel === "afm" ? "AFM: this pixel; others: mean at this s ± its standard error"
      : at.panel === "sem" && at.region ? "SEM: region " + at.region.label + "; others: mean at this s ± its standard error"
      : "means at this s ± their standard errors";
  }

  function textOf(found) {
    return found ? withError(found.value, found.error, found.unit) : "–";
  }

  function xrayText(at) {
    if (at.panel === "xray" && at.cell !== undefined) {
      const scan = reductionOf("xray", plotOf("xray")), shown = scan && scan.values.a_sc;
      if (shown) return withError(shown.v[at.cell], shown.e ? shown.e[at.cell] : null, shown.unit);
    }
    return textOf(bin("xray", "a_sc", at.s));
  }

  function semText(at) {
    if (at.panel === "sem" && at.region) return withError(at.region.v, at.region.e, "nm");
    const plot = plotOf("sem"), image = plot && reductionOf("sem", plot);
    if (!image || !isFinite(at.s)) return "–";
    const found = bin("sem", "spacing", at.s);
    if (found && isFinite(found.value) && isFinite(found.error) && found.error > 0) return textOf(found);
    return textOf(betweenRegions(image.regions, at.s));
  }

  /* Spacing at s, straight between the two nearest regions; that of the outermost one a little beyond it. */
  function betweenRegions(regions, s) {
    const known = regions.filter((r) => r.s !== null && r.v !== null).sort((p, q) => p.s - q.s);
    const after = known.findIndex((r) => r.s >= s);
    const edge = after === 0 ? known[0] : after < 0 ? known[known.length - 1] : null;
    if (edge) return Math.abs(edge.s - s) <= Math.max(0.06, 2 * (edge.s_err || 0)) ? { value: edge.v, error: edge.e, unit: "nm" } : null;
    if (after < 0) return null;
    const [p, q] = [known[after - 1], known[after]], t = q.s > p.s ? (s - p.s) / (q.s - p.s) : 0;
    return { value: (1 - t) * p.v + t * q.v, error: (1 - t) * p.e + t * q.e, unit: "nm" };
  }

  function afmText(at) {
    if (at.panel === "afm" && at.cell !== undefined) {
      const field = reductionOf("afm", plotOf("afm"));
      if (field) return withError(field.values.modulus.v[at.cell], null, "GPa");
    }
    return textOf(bin("afm", "modulus", at.s));
  }

  /* ---- the data of a sample ------------------------------------------------------------------------- */

  function load() {
    const page = root();
    const key = page ? page.dataset.linked + "?v=" + page.dataset.version : "";
    if (key === state.key) return;
    Object.assign(state, { key, data: null, at: null });
    if (window.triptychPatterns) window.triptychPatterns.forget();
    if (!key) return;
    fetch("/data/" + encodeURIComponent(page.dataset.linked) + "/linked.json?v=" + page.dataset.version)
      .then((answer) => (answer.ok ? answer.json() : null))
      .then((found) => {
        if (!found || state.key !== key) return;
        state.data = unpack(found);
        page.dataset.ready = "true";
        if (window.triptychPatterns) window.triptychPatterns.prefetch(page.dataset.linked, page.dataset.version, state.data);
      });
  }

  /* ---- pointer and keys ----------------------------------------------------------------------------- */

  document.addEventListener("pointermove", (event) => {
    const element = event.target.closest ? event.target.closest(".linked") : null;
    const live = window.triptychPatterns;
    if (!element) { if (live) live.hide(); return; }
    const plot = plotOf(element.dataset.panel);
    const place = plot && pointIn(plot, event.clientX, event.clientY);
    if (!place) { if (live) live.hide(); return; }
    point(element.dataset.panel, place[0], place[1]);
    showPattern();
  }, { passive: true });

  document.addEventListener("pointerleave", () => { if (window.triptychPatterns) window.triptychPatterns.hide(); });

  function showPattern() {
    const live = window.triptychPatterns, at = state.at;
    if (!live) return;
    const plot = plotOf("xray");
    if (at && at.panel === "xray" && at.row !== null && plot) live.show(indexOf(plot), at.row, at.col);
    else live.hide();
  }

  let pressed = null;
  document.addEventListener("pointerdown", (event) => { pressed = [event.clientX, event.clientY, event.target]; }, true);
  document.addEventListener("pointerup", (event) => {
    const begun = pressed;
    pressed = null;
    if (!begun || Math.hypot(event.clientX - begun[0], event.clientY - begun[1]) > 4) return;
    const element = begun[2].closest ? begun[2].closest('.linked[data-panel="xray"]') : null;
    const plot = element && plotOf("xray");
    const place = plot && !element.classList.contains("editing") && pointIn(plot, event.clientX, event.clientY);
    if (place && !(begun[2].closest(".modebar"))) { point("xray", place[0], place[1]); pin(event.shiftKey ? "b" : "a"); }
  }, true);

  function pin(name) {
    const at = state.at;
    if (!at || at.panel !== "xray" || at.row === null) return;
    window.dash_clientside.set_props({ type: "view", name }, { value: at.row + "." + at.col });
    window.dash_clientside.set_props({ type: "view", name: "ps" }, { value: name });
    window.triptychFrame.say("Pinned as " + name.toUpperCase());
  }

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function moveByKey(panel, step) {
    const plot = plotOf(panel);
    if (!plot || !state.data) return;
    const reduction = MAPS.includes(panel) ? reductionOf(panel, plot) : null;
    const stepX = reduction && panel === "xray" ? Math.hypot(...reduction.grid.col) : Math.abs(plot.x.range[1] - plot.x.range[0]) / 60;
    const stepY = reduction && panel === "xray" ? Math.hypot(...reduction.grid.row) : Math.abs(plot.y.range[1] - plot.y.range[0]) / 60;
    const here = state.at && state.at.panel === panel
      ? [state.at.x, state.at.y] : [plot.x.p2d(plot.x._length / 2), plot.y.p2d(plot.y._length / 2)];
    const down = plot.y.range[0] > plot.y.range[1] ? 1 : -1;
    const next = [here[0] + step[0] * stepX, here[1] + down * step[1] * stepY];
    if (inView(plot, next)) { point(panel, next[0], next[1]); showPattern(); }
  }

  document.addEventListener("keydown", (event) => {
    const target = event.target;
    const panel = target.classList && target.classList.contains("linked") ? target.dataset.panel : null;
    if (panel && STEPS[event.key]) { event.preventDefault(); moveByKey(panel, STEPS[event.key]); return; }
    if (panel === "xray" && event.key === "Enter") { event.preventDefault(); pin(event.shiftKey ? "b" : "a"); return; }
    if (event.key === "Escape") { state.at = null; if (window.triptychPatterns) window.triptychPatterns.hide(); schedule(); return; }
  });

  window.triptychLinked = { point, draw, schedule, state, plotOf, pointIn, reductionOf, indexOf };

  new MutationObserver(load).observe(document.documentElement, { childList: true, subtree: true });
  window.addEventListener("resize", schedule);
})();
