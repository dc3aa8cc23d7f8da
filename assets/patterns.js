/* The pattern under the cursor: thumbnails of a scan, a row of points a picture, drawn on a canvas at once. */
(function () {
  "use strict";

  const BINS = { coarse: [48, 90], fine: [120, 180] };
  const FULL_KEPT = 40, FULL_AFTER_MS = 70;
  const atlas = {
    key: "", id: "", version: "", data: null, rows: new Map(), radial: new Map(), full: new Map(), shown: null, polar: new Map(), later: 0,
  };

  const canvas = () => document.getElementById("pattern-live");

  function forget() {
    Object.assign(atlas, { key: "", data: null, shown: null });
    atlas.rows.clear();
    atlas.radial.clear();
    atlas.full.clear();
    atlas.polar.clear();
  }

  function prefetch(id, version, data) {
    forget();
    Object.assign(atlas, { key: id + version, id, version, data });
    if (!data.xray.length || !data.xray[0].tile || !canvas()) return;
    const wanted = Array.from({ length: data.xray[0].grid.rows }, (_, row) => row);
    const next = () => {
      if (atlas.key !== id + version || !wanted.length) return;
      loadRow(0, wanted.shift()).then((found) => { if (found) setTimeout(next, 10); });
    };
    requestAnimationFrame(() => setTimeout(next, 0));
  }

  /* Grey values of a picture, null where it cannot be had or the page has moved on to another sample. */
  function greyOf(address) {
    const key = atlas.key;
    return new Promise((resolve) => {
      const picture = new Image();
      picture.onload = () => {
        const sheet = document.createElement("canvas");
        sheet.width = picture.naturalWidth;
        sheet.height = picture.naturalHeight;
        const pen = sheet.getContext("2d", { willReadFrequently: true });
        pen.drawImage(picture, 0, 0);
        const colours = pen.getImageData(0, 0, sheet.width, sheet.height).data;
        const grey = new Uint8Array(sheet.width * sheet.height);
        for (let i = 0; i < grey.length; i++) grey[i] = colours[4 * i];
        resolve(key === atlas.key ? { grey, width: sheet.width, height: sheet.height } : null);
      };
      picture.onerror = () => resolve(null);
      picture.src = address + "?v=" + atlas.version;
    });
  }

  /* All tiles of one scan row, read once. */
  function loadRow(index, row) {
    const name = index + "/" + row;
    if (!atlas.rows.has(name)) atlas.rows.set(name, greyOf("/atlas/" + encodeURIComponent(atlas.id) + "/" + name + ".png"));
    return atlas.rows.get(name);
  }

  /* Every pixel of one pattern; the last ones are kept. */
  function loadFull(index, row, col) {
    const name = index + "/" + row + "/" + col;
    if (!atlas.full.has(name)) {
      atlas.full.set(name, greyOf("/pattern/" + encodeURIComponent(atlas.id) + "/" + name + ".png"));
      if (atlas.full.size > FULL_KEPT) atlas.full.delete(atlas.full.keys().next().value);
    }
    return atlas.full.get(name);
  }

  function loadRadial(index, row) {
    const name = index + "/" + row;
    if (!atlas.radial.has(name)) {
      atlas.radial.set(name, fetch("/radial/" + encodeURIComponent(atlas.id) + "/" + name + ".bin?v=" + atlas.version)
        .then((answer) => (answer.ok ? answer.arrayBuffer() : null))
        .then((bytes) => (bytes ? new Float32Array(bytes) : null)));
    }
    return atlas.radial.get(name);
  }

  function show(index, row, col) {
    if (!atlas.data || !canvas()) return;
    const view = viewed();
    const scan = atlas.data.xray[index];
    if (view === "wide") { hide(); return; }
    if (view !== "q" && (!scan.tile || (view === "polar" && !scan.geometry))) { hide(); return; }
    const wanted = [index, row, col, view].join("/");
    if (atlas.shown === wanted) return;
    atlas.shown = wanted;
    const load = view === "q" ? loadRadial : loadRow;
    const waiting = setTimeout(() => { if (atlas.shown === wanted) wait(true); }, 60);
    load(index, row).then((found) => {
      clearTimeout(waiting);
      if (atlas.shown === wanted) wait(false);
      if (!found || atlas.shown !== wanted || !canvas()) return;
      const pen = prepare();
      if (view === "q") drawRadial(pen, scan, found.subarray(col * scan.q.length, (col + 1) * scan.q.length));
      else drawTile(pen, scan, { tile: scan.tile, grey: tileOf(scan, found, col) }, view, row, col, index);
      reveal(pen, row, col, "quick");
      if (view !== "q") refine(scan, index, row, col, view, wanted);
    });
  }

  function reveal(pen, row, col, detail) {
    label(pen, "row " + row + ", column " + col);
    const sheet = canvas();
    sheet.classList.add("pattern-live-on");
    sheet.dataset.point = row + "." + col;
    sheet.dataset.detail = detail;
  }

  /* Where the cursor rests, every pixel takes the place of the thumbnail. */
  function refine(scan, index, row, col, view, wanted) {
    clearTimeout(atlas.later);
    atlas.later = setTimeout(() => loadFull(index, row, col).then((found) => {
      if (!found || atlas.shown !== wanted || !canvas()) return;
      const pen = prepare(), tile = { ...scan.tile, rows: found.height, cols: found.width, block: 1 };
      drawTile(pen, scan, { tile, grey: Array.from(found.grey, (value) => value || null) }, view, row, col, index);
      reveal(pen, row, col, "full");
    }), FULL_AFTER_MS);
  }

  /* A quiet word while the pattern of the row under the cursor is on its way. */
  function wait(on) {
    const box = canvas() && canvas().parentElement;
    if (box) box.classList.toggle("pattern-waiting", on);
  }

  function hide() {
    if (!atlas.shown) return;
    atlas.shown = null;
    clearTimeout(atlas.later);
    wait(false);
    const sheet = canvas();
    if (sheet) { sheet.classList.remove("pattern-live-on"); delete sheet.dataset.point; delete sheet.dataset.detail; }
  }

  function viewed() {
    const chosen = document.querySelector('[data-testid="pattern"] .panel-controls input:checked');
    return chosen ? chosen.value : "detector";
  }

  function tileOf(scan, found, col) {
    const { rows, cols } = scan.tile, tile = new Uint8Array(rows * cols);
    for (let r = 0; r < rows; r++) tile.set(found.grey.subarray(r * found.width + col * cols, r * found.width + (col + 1) * cols), r * cols);
    return tile;
  }

  function prepare() {
    const sheet = canvas(), scale = window.devicePixelRatio || 1;
    sheet.width = Math.max(1, Math.round(sheet.clientWidth * scale));
    sheet.height = Math.max(1, Math.round(sheet.clientHeight * scale));
    const pen = sheet.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    pen.fillStyle = style.getPropertyValue("--surface");
    pen.fillRect(0, 0, sheet.width, sheet.height);
    pen.imageSmoothingEnabled = false;
    return Object.assign(pen, { ink: style.getPropertyValue("--text"), line: style.getPropertyValue("--xray"), unit: scale });
  }

  function label(pen, text) {
    pen.font = 11 * pen.unit + "px sans-serif";
    pen.fillStyle = pen.ink;
    pen.fillText(text, 4 * pen.unit, pen.canvas.height - 5 * pen.unit);
  }

  function paint(pen, values, rows, cols, left, top, width, height) {
    const sheet = document.createElement("canvas");
    sheet.width = cols;
    sheet.height = rows;
    const pixels = new ImageData(cols, rows), colours = atlas.data.colours;
    for (let i = 0; i < values.length; i++) {
      if (values[i] === null) continue;
      pixels.data.set(colours.subarray(3 * values[i], 3 * values[i] + 3), 4 * i);
      pixels.data[4 * i + 3] = 255;
    }
    sheet.getContext("2d").putImageData(pixels, 0, 0);
    pen.drawImage(sheet, left, top, width, height);
  }

  function drawTile(pen, scan, { tile, grey }, view, row, col, index) {
    const foot = 18 * pen.unit, wide = pen.canvas.width, high = pen.canvas.height - foot;
    if (view === "polar") {
      const bins = polarBins(scan, tile, index);
      const values = Array.from(bins.of, (at) => (at < 0 ? null : grey[at]));
      const all = scan.q[scan.q.length - 1], full = high * all / Math.min(nearest() || all, all);
      pen.save();
      clip(pen, 0, 0, wide, high);
      paint(pen, values, bins.rows, bins.cols, 0, high - full, wide, full);
      pen.restore();
      return;
    }
    const { rows, cols } = tile, part = viewedPart(scan, tile);
    const zoom = Math.min(wide / part.width, high / part.height);
    const left = (wide - zoom * part.width) / 2 - zoom * part.x, top = (high - zoom * part.height) / 2 - zoom * part.y;
    pen.save();
    clip(pen, left + zoom * part.x, top + zoom * part.y, zoom * part.width, zoom * part.height);
    paint(pen, grey, rows, cols, left, top, zoom * cols, zoom * rows);
    pen.lineWidth = 1.5 * pen.unit;
    pen.strokeStyle = "#ffffff";
    for (const [x, y] of peaks(scan, tile, row, col)) {
      pen.beginPath();
      pen.arc(left + zoom * x, top + zoom * y, 7 * pen.unit, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.restore();
  }

  function clip(pen, left, top, width, height) {
    pen.beginPath();
    pen.rect(left, top, width, height);
    pen.clip();
  }

  /* The largest q that the page asks to see, 0 for all. */
  function nearest() {
    const box = canvas().closest("[data-q-most]");
    return box ? parseFloat(box.dataset.qMost) || 0 : 0;
  }

  /* The part of a tile to be drawn: all of it, or the square about the beam up to the q that is asked for. */
  function viewedPart(scan, tile) {
    const { rows, cols, block, row0, col0 } = tile, most = nearest();
    if (!most || !scan.geometry) return { x: 0, y: 0, width: cols, height: rows };
    const { wavelength, distance, pixel, beam } = scan.geometry;
    const radius = 1000 * distance * Math.tan(2 * Math.asin(most * wavelength / (4 * Math.PI))) / block;
    const half = [radius / pixel[0], radius / pixel[1]];
    return {
      x: (beam[0] - col0 + 0.5) / block - half[0], y: (beam[1] - row0 + 0.5) / block - half[1],
      width: 2 * half[0], height: 2 * half[1],
    };
  }

  /* Places on the tile of the four first-order peaks that a1, a2, gamma and psi stand for. */
  function peaks(scan, tile, row, col) {
    if (!scan.geometry) return [];
    const at = row * scan.grid.cols + col, of = (name) => (scan.values[name] ? scan.values[name].v[at] : NaN);
    const gamma = of("gamma"), psi = of("psi"), sine = Math.sin(gamma * Math.PI / 180);
    const found = [[of("a1"), psi + gamma - 90], [of("a2"), psi + 90]];
    const { wavelength, distance, pixel, beam } = scan.geometry, { block, row0, col0 } = tile;
    const places = [];
    for (const [a, phi] of found) {
      if (!isFinite(a) || !isFinite(phi)) continue;
      const q = 2 * Math.PI / (a * sine);
      const radius = 1000 * distance * Math.tan(2 * Math.asin(q * wavelength / (4 * Math.PI)));
      for (const turn of [0, 180]) {
        const angle = (phi + turn) * Math.PI / 180;
        places.push([
          (beam[0] + radius * Math.cos(angle) / pixel[0] - col0 + 0.5) / block,
          (beam[1] - radius * Math.sin(angle) / pixel[1] - row0 + 0.5) / block,
        ]);
      }
    }
    return places;
  }

  /* For each (q, phi) bin the tile's pixel at its middle, -1 outside; q upwards as on the figure. */
  function polarBins(scan, tile, index) {
    const name = index + "/" + tile.block;
    if (!atlas.polar.has(name)) {
      const { wavelength, distance, pixel, beam } = scan.geometry, { rows, cols, block, row0, col0 } = tile;
      const [height, width] = rows > BINS.fine[0] ? BINS.fine : BINS.coarse;
      const most = scan.q[scan.q.length - 1], of = new Int32Array(height * width);
      for (let i = 0; i < height; i++) {
        const q = (height - i - 0.5) / height * most;
        const radius = 1000 * distance * Math.tan(2 * Math.asin(q * wavelength / (4 * Math.PI)));
        for (let j = 0; j < width; j++) {
          const angle = ((j + 0.5) / width * 360 - 180) * Math.PI / 180;
          const c = Math.floor((beam[0] + radius * Math.cos(angle) / pixel[0] - col0 + 0.5) / block);
          const r = Math.floor((beam[1] - radius * Math.sin(angle) / pixel[1] - row0 + 0.5) / block);
          of[i * width + j] = r >= 0 && c >= 0 && r < rows && c < cols ? r * cols + c : -1;
        }
      }
      atlas.polar.set(name, { of, rows: height, cols: width });
    }
    return atlas.polar.get(name);
  }

  function drawRadial(pen, scan, intensity) {
    const foot = 32 * pen.unit, wide = pen.canvas.width, high = pen.canvas.height - foot;
    const seen = Array.from(intensity).filter((value) => value > 0);
    if (!seen.length) return;
    const top = Math.log10(Math.max(...seen)), bottom = Math.max(Math.log10(Math.min(...seen)), top - 4);
    const most = scan.q[scan.q.length - 1];
    pen.strokeStyle = pen.line;
    pen.lineWidth = 1.8 * pen.unit;
    pen.beginPath();
    let drawing = false;
    intensity.forEach((value, i) => {
      if (!(value > 0)) { drawing = false; return; }
      const x = scan.q[i] / most * wide, y = high - (Math.max(Math.log10(value), bottom) - bottom) / (top - bottom || 1) * (high - 8 * pen.unit);
      if (drawing) pen.lineTo(x, y); else pen.moveTo(x, y);
      drawing = true;
    });
    pen.stroke();
    pen.fillStyle = pen.ink;
    pen.font = 11 * pen.unit + "px sans-serif";
    for (let q = 0.5; q < most; q += 0.5) pen.fillText(q.toFixed(1) + (q + 0.5 >= most ? " nm⁻¹" : ""), q / most * wide - 8 * pen.unit, high + 13 * pen.unit);
  }

  window.triptychPatterns = { prefetch, forget, show, hide, loadRow, atlas };
})();
