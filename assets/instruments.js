/* The AFM page: a point of the profile along a line shows where it lies on both maps. */
(function () {
  "use strict";

  const MAPS = ["afm-height", "afm-modulus"];
  const graphOf = (id) => document.querySelector("#" + id + " .js-plotly-plot") || document.querySelector("#" + id + ".js-plotly-plot");

  function dotOf(graph) {
    const box = graph.closest(".graph-box");
    let dot = box.querySelector(":scope > .line-dot");
    if (!dot) {
      dot = document.createElement("div");
      dot.className = "line-dot";
      dot.setAttribute("aria-hidden", "true");
      box.appendChild(dot);
    }
    return dot;
  }

  function show(x, y) {
    for (const id of MAPS) {
      const graph = graphOf(id);
      if (!graph || !graph._fullLayout) continue;
      const { xaxis, yaxis } = graph._fullLayout, dot = dotOf(graph);
      const left = xaxis.d2p(x), top = yaxis.d2p(y);
      const inside = left >= 0 && top >= 0 && left <= xaxis._length && top <= yaxis._length;
      dot.classList.toggle("line-dot-on", inside);
      if (inside) {
        dot.style.transform = "translate(" + (xaxis._offset + left).toFixed(1) + "px," + (yaxis._offset + top).toFixed(1) + "px)";
        dot.dataset.place = x.toFixed(3) + "," + y.toFixed(3);
      }
    }
  }

  function hide() {
    document.querySelectorAll(".line-dot-on").forEach((dot) => dot.classList.remove("line-dot-on"));
  }

  function attach() {
    const profile = graphOf("afm-profile");
    if (!profile || profile.triptychLine || !profile.on) return;
    profile.triptychLine = true;
    profile.on("plotly_hover", (event) => {
      const line = ((profile.layout || {}).meta || {}).line, at = event.points[0].pointNumber, place = event.points[0].customdata;
      if (line && at < line.x.length) show(line.x[at], line.y[at]);
      else if (place && place.length > 1) show(place[0], place[1]);
    });
    profile.on("plotly_unhover", hide);
  }

  new MutationObserver(attach).observe(document.documentElement, { childList: true, subtree: true });
})();
