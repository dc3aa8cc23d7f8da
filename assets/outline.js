/* Outlines edited on the map: corners are dragged or moved by keys, drawn anew, or found around a click. */
(function () {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const WORDS = {
    corners: "Drag a corner, or Tab to it and use the arrow keys (Shift: ten pixels; Insert and Delete add and remove).",
    draw: "Click the corners one after another; Enter or a click on the first one closes the outline.",
    pick: "Click the crystal.",
  };
  let editing = null;

  const linked = () => window.triptychLinked;
  const shared = () => window.triptychEdits;

  /* ---- opening and closing ------------------------------------------------------------------------------ */

  async function open(modality) {
    close();
    const plot = linked().plotOf(modality);
    const reduction = plot && linked().reductionOf(modality, plot);
    if (!reduction) return;
    const own = {
      modality, of: modality + "." + linked().indexOf(plot), corners: reduction.corners.map((corner) => [...corner]),
      selected: 0, mode: "corners", after: null, box: plot.element, source: reduction.source,
    };
    editing = own;
    if (own.corners.length < 3) own.corners = square(plot);
    own.box.classList.add("editing");
    press(true);
    makeLayer(own);
    makeBar(own);
    loop();
    const found = await shared().get("/edits.json");
    if (editing !== own) return;
    if (found.message) { say(found.message); return; }
    own.after = found.count;
    own.historyHost.replaceChildren(shared().history(found.entries, own.of));
  }

  function close() {
    if (!editing) return;
    press(false);
    editing.box.classList.remove("editing");
    editing.svg.remove();
    editing.bar.remove();
    editing = null;
  }

  function press(on) {
    const found = document.querySelector('[data-edit="outline"][data-modality="' + editing.modality + '"]');
    if (found) found.setAttribute("aria-pressed", String(on));
  }

  /* Where nothing was found the corners of a square in the middle of the view are there to be moved. */
  function square(plot) {
    const [w, h] = [plot.x._length, plot.y._length], r = Math.min(w, h) / 4;
    return [[-r, -r], [r, -r], [r, r], [-r, r]].map(([dx, dy]) => [plot.x.p2d(w / 2 + dx), plot.y.p2d(h / 2 + dy)]);
  }

  /* ---- the bar below the map ---------------------------------------------------------------------------- */

  function makeBar(own) {
    const { element, button, nameField } = shared();
    own.name = nameField();
    own.said = element("p", { class: "edit-said", role: "status" }, WORDS.corners);
    own.historyHost = element("span", {});
    own.bar = element("div", { class: "edit-bar", role: "group", "aria-label": "Edit the outline" },
      element("div", { class: "edit-row" },
        button("Add corner", "Add a corner after the chosen one", () => add()),
        button("Remove corner", "Remove the chosen corner", () => remove()),
        button("Draw new", "Draw a new outline by clicks", () => { own.corners = []; setMode("draw"); }),
        button("Pick crystal", "Find the outline of the crystal that you click", () => setMode("pick")),
        own.historyHost),
      element("div", { class: "edit-row" }, own.name,
        button("Save", "Save this outline with your name", () => save(own.corners)),
        button("Take back", "Return to the outline that was found or given", () => save(null)),
        button("Close", "Close without saving", () => leave())),
      own.said);
    document.getElementById("edit-bar-" + own.modality).append(own.bar);
  }

  function say(text) { if (editing) editing.said.textContent = text; }

  function setMode(mode) {
    editing.mode = mode;
    editing.svg.classList.toggle("edit-catches", mode !== "corners");
    // Enter is to close the outline, not to press the button once more.
    if (mode !== "corners") editing.svg.focus();
    say(WORDS[mode]);
  }

  function leave() {
    const back = document.querySelector('[data-edit="outline"][data-modality="' + editing.modality + '"]');
    close();
    if (back) back.focus();
  }

  async function save(corners) {
    const own = editing;
    if (own.after === null) { say("The edits so far could not be read: nothing can be saved."); return; }
    if (corners && corners.length < 3) { say("An outline has at least three corners."); return; }
    const name = shared().who(own.name, say);
    if (name) await shared().send({ what: "outline", who: name, of: own.of, outline_um: corners }, own.after, say);
  }

  /* ---- corners ------------------------------------------------------------------------------------------ */

  function add() {
    const corners = editing.corners, at = editing.selected, next = (at + 1) % corners.length;
    if (corners.length < 2) return;
    corners.splice(at + 1, 0, [(corners[at][0] + corners[next][0]) / 2, (corners[at][1] + corners[next][1]) / 2]);
    choose(at + 1);
  }

  function remove() {
    if (editing.corners.length <= 3) { say("An outline has at least three corners."); return; }
    editing.corners.splice(editing.selected, 1);
    choose(Math.min(editing.selected, editing.corners.length - 1));
  }

  function choose(index) {
    editing.selected = index;
    draw();
    const handle = editing.svg.querySelectorAll(".edit-corner")[index];
    if (handle) handle.focus();
  }

  function makeLayer(own) {
    own.svg = document.createElementNS(SVG, "svg");
    own.svg.setAttribute("class", "edit-svg");
    own.svg.setAttribute("tabindex", "-1");
    for (const name of ["edit-line-halo", "edit-line"]) {
      const line = document.createElementNS(SVG, "polygon");
      line.setAttribute("class", name);
      own.svg.append(line);
    }
    own.box.querySelector(".edit-layer").append(own.svg);
    own.svg.addEventListener("pointerdown", pressed);
    own.svg.addEventListener("keydown", keyed);
  }

  function places(plot) {
    return editing.corners.map(([x, y]) => [plot.x._offset + plot.x.d2p(x), plot.y._offset + plot.y.d2p(y)]);
  }

  function draw() {
    const plot = linked().plotOf(editing.modality);
    if (!plot) return;
    const found = places(plot), text = found.map(([x, y]) => x.toFixed(1) + "," + y.toFixed(1)).join(" ");
    for (const line of editing.svg.querySelectorAll("polygon")) line.setAttribute("points", text);
    const handles = [...editing.svg.querySelectorAll(".edit-corner")];
    while (handles.length > found.length) handles.pop().remove();
    while (handles.length < found.length) handles.push(handle());
    found.forEach(([x, y], k) => {
      handles[k].setAttribute("cx", x.toFixed(1));
      handles[k].setAttribute("cy", y.toFixed(1));
      const [cx, cy] = editing.corners[k];
      handles[k].setAttribute("aria-label", "Corner " + (k + 1) + " of " + found.length + ", x " + cx.toFixed(2) + ", y " + cy.toFixed(2) + " µm");
      handles[k].classList.toggle("edit-chosen", k === editing.selected);
    });
  }

  function handle() {
    const made = document.createElementNS(SVG, "circle");
    made.setAttribute("r", "6");
    made.setAttribute("class", "edit-corner");
    made.setAttribute("tabindex", "0");
    made.setAttribute("role", "button");
    made.addEventListener("focus", () => { if (editing) editing.selected = indexOf(made); });
    editing.svg.append(made);
    return made;
  }

  const indexOf = (made) => [...editing.svg.querySelectorAll(".edit-corner")].indexOf(made);

  /* Zooms and changes of size move the map below: the corners follow on every frame while they are edited. */
  function loop() {
    if (!editing) return;
    if (!editing.box.isConnected) { editing.bar.remove(); editing = null; return; }
    draw();
    requestAnimationFrame(loop);
  }

  /* ---- pointer and keys --------------------------------------------------------------------------------- */

  function pressed(event) {
    const corner = event.target.classList.contains("edit-corner") ? indexOf(event.target) : -1;
    const plot = linked().plotOf(editing.modality), place = linked().pointIn(plot, event.clientX, event.clientY);
    event.stopPropagation();
    if (editing.mode === "pick") { if (place) pick(place); return; }
    if (editing.mode === "draw") {
      if (corner === 0 && editing.corners.length > 2) setMode("corners");
      else if (place) { editing.corners.push(place); editing.selected = editing.corners.length - 1; }
      event.preventDefault();
      return;
    }
    if (corner >= 0) drag(event, corner);
  }

  function drag(event, corner) {
    const target = event.target;
    editing.selected = corner;
    target.setPointerCapture(event.pointerId);
    const move = (moved) => {
      const plot = linked().plotOf(editing.modality), frame = plot.graph.getBoundingClientRect();
      editing.corners[corner] = [
        plot.x.p2d(moved.clientX - frame.left - plot.x._offset), plot.y.p2d(moved.clientY - frame.top - plot.y._offset)];
    };
    const end = () => { target.removeEventListener("pointermove", move); target.removeEventListener("pointerup", end); };
    target.addEventListener("pointermove", move);
    target.addEventListener("pointerup", end);
  }

  function keyed(event) {
    if (event.key === "Enter" && editing.mode === "draw") { setMode("corners"); event.preventDefault(); return; }
    if (!event.target.classList.contains("edit-corner")) return;
    const step = STEPS[event.key];
    if (event.key === "Insert" || event.key === "+") add();
    else if (event.key === "Delete" || event.key === "Backspace") remove();
    else if (step) {
      const plot = linked().plotOf(editing.modality), size = event.shiftKey ? 10 : 1;
      const [x, y] = editing.corners[editing.selected];
      editing.corners[editing.selected] = [
        plot.x.p2d(plot.x.d2p(x) + size * step[0]), plot.y.p2d(plot.y.d2p(y) + size * step[1])];
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  async function pick([x, y]) {
    const own = editing;
    say("Looking");
    const found = await shared().get("/around.json?of=" + own.of + "&x=" + x + "&y=" + y);
    if (editing !== own) return;
    if (found.message) { say(found.message); return; }
    own.corners = found.outline_um;
    own.selected = 0;
    setMode("corners");
  }

  document.addEventListener("keydown", (event) => {
    if (!editing || event.target.closest("input")) return;
    if (event.key === "Escape") leave();
    else if (event.key === "Enter" && editing.mode === "draw" && !event.target.closest("button")) setMode("corners");
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest('[data-edit="outline"]') : null;
    if (!button) return;
    if (editing && editing.modality === button.dataset.modality) leave();
    else open(button.dataset.modality);
  });
})();
