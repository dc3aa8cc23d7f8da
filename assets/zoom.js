/* After a zoom the scale bar keeps a round length in the corner, and an image fetches the region in view. */
(function () {
  "use strict";

  function niceLength(target) {
    const power = Math.pow(10, Math.floor(Math.log10(target)));
    return [5, 2, 1].find((step) => step * power <= target * (1 + 1e-9)) * power;
  }

  function attach(graph) {
    if (graph.triptychAttached || !graph.on) return;
    graph.triptychAttached = true;
    graph.on("plotly_relayout", (change) => {
      if (Object.keys(change).some((key) => key.startsWith("xaxis") || key.startsWith("yaxis") || key === "autosize")) {
        followZoom(graph);
      }
    });
    graph.on("plotly_afterplot", () => { enlarge(graph); window.triptychLinked.schedule(); });
    enlarge(graph);
  }

  /* On a wall the letters of figures grow with those of the page. */
  function enlarge(graph) {
    const size = Math.round(0.75 * parseFloat(getComputedStyle(document.documentElement).fontSize));
    if (size <= 12 || !graph._fullLayout || graph._fullLayout.font.size === size) return;
    const change = { "font.size": size, "legend.font.size": size - 1 };
    for (const axis of Object.keys(graph._fullLayout).filter((key) => /^[xy]axis\d*$/.test(key))) {
      change[axis + ".tickfont.size"] = size - 1;
      change[axis + ".title.font.size"] = size;
    }
    window.Plotly.relayout(graph, change);
  }

  function followZoom(graph) {
    const meta = (graph.layout || {}).meta;
    if (!meta || !(meta.scale_bar || meta.image)) return;
    const [x0, x1] = graph._fullLayout.xaxis.range, [bottom, top] = graph._fullLayout.yaxis.range;
    const change = {};
    if (meta.scale_bar) Object.assign(change, scaleBar(graph, x0, x1, bottom, top));
    if (meta.image) Object.assign(change, imageCrop(graph, meta.image, x0, x1, top, bottom));
    window.Plotly.relayout(graph, change);
  }

  function scaleBar(graph, x0, x1, bottom, top) {
    const length = niceLength(0.25 * (x1 - x0)), left = x0 + 0.05 * (x1 - x0), y = bottom - 0.06 * (bottom - top);
    const change = {}, margin = 0.025 * (x1 - x0);
    (graph.layout.shapes || []).forEach((shape, i) => {
      if (shape.name === "scale-bar-ground") {
        Object.assign(change, { ["shapes[" + i + "].x0"]: left - margin, ["shapes[" + i + "].x1"]: left + length + margin,
          ["shapes[" + i + "].yanchor"]: y });
      }
      if (shape.name === "scale-bar") {
        Object.assign(change, { ["shapes[" + i + "].x0"]: left, ["shapes[" + i + "].x1"]: left + length,
          ["shapes[" + i + "].y0"]: y, ["shapes[" + i + "].y1"]: y });
      }
    });
    (graph.layout.annotations || []).forEach((note, i) => {
      if (note.name === "scale-bar") {
        const text = length < 1 ? Number((length * 1000).toPrecision(3)) + " nm" : length + " µm";
        Object.assign(change, { ["annotations[" + i + "].x"]: left + length / 2, ["annotations[" + i + "].y"]: y,
          ["annotations[" + i + "].text"]: text });
      }
    });
    return change;
  }

  function imageCrop(graph, image, x0, x1, top, bottom) {
    const sx = image.cols / image.width, sy = image.rows / image.height;
    const clamp = (value, most) => Math.min(Math.max(value, 0), most);
    const c0 = clamp(Math.floor(x0 * sx), image.cols - 1), c1 = clamp(Math.ceil(x1 * sx), image.cols);
    const r0 = clamp(Math.floor(top * sy), image.rows - 1), r1 = clamp(Math.ceil(bottom * sy), image.rows);
    const width = Math.ceil(graph._fullLayout.xaxis._length * Math.min(window.devicePixelRatio || 1, 2));
    return {
      "images[0].source": image.source + "&x0=" + c0 + "&x1=" + c1 + "&y0=" + r0 + "&y1=" + r1 + "&w=" + width,
      "images[0].x": c0 / sx, "images[0].y": r0 / sy,
      "images[0].sizex": (c1 - c0) / sx, "images[0].sizey": (r1 - r0) / sy,
    };
  }

  new MutationObserver(() => document.querySelectorAll(".js-plotly-plot").forEach(attach))
    .observe(document.documentElement, { childList: true, subtree: true });
})();
