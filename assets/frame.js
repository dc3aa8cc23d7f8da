/* The frame of all pages: colour scheme, keys, the view in the address, pictures of figures as files. */
(function () {
  "use strict";

  const THEME_COOKIE = "triptych-theme";
  let templates = null;

  /* ---- buttons and keys ----------------------------------------------------------------------------- */

  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.closest && target.closest("input, textarea, select, [contenteditable]")) return;
    if (event.key === "?") openHelp();
    else if (event.key === "t") toggleTheme();
    else if (event.key === "c") copyLink();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("button, summary, a") : null;
    const open = document.querySelector(".switcher[open]");
    if (open && (!button || !open.contains(button) || button.tagName === "A")) open.removeAttribute("open");
    if (!button) return;
    if (button.id === "toggle-theme") toggleTheme();
    else if (button.id === "copy-link") copyLink();
    else if (button.id === "open-help") openHelp();
    else if (button.dataset.export) savePicture(button.dataset);
  });

  function openHelp() { window.dash_clientside.set_props("help", { opened: true }); }

  function say(text) {
    const element = document.getElementById("said");
    if (!element) return;
    element.textContent = text;
    element.classList.add("said-on");
    clearTimeout(say.timer);
    say.timer = setTimeout(() => element.classList.remove("said-on"), 1600);
  }

  function copyLink() {
    const done = () => say("Link copied");
    if (navigator.clipboard && window.isSecureContext) {
      navigator.clipboard.writeText(location.href).then(done, () => say(location.href));
      return;
    }
    const field = document.createElement("textarea");
    field.value = location.href;
    document.body.appendChild(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    done();
  }

  function savePicture({ graph, name }) {
    const format = arguments[0].export;
    const element = document.getElementById(graph);
    const plot = element && (element.querySelector(".js-plotly-plot") || (element.classList.contains("js-plotly-plot") ? element : null));
    if (!plot) return;
    const frame = plot.getBoundingClientRect();
    window.Plotly.downloadImage(plot, {
      format, filename: name, width: Math.round(frame.width), height: Math.round(frame.height), scale: format === "png" ? 3 : 1,
    });
  }

  /* ---- colour scheme -------------------------------------------------------------------------------- */

  const scheme = () => document.documentElement.getAttribute("data-mantine-color-scheme") || "light";

  function setTheme(next) {
    document.cookie = THEME_COOKIE + "=" + next + "; path=/; max-age=31536000; samesite=strict";
    document.documentElement.setAttribute("data-mantine-color-scheme", next);
    window.dash_clientside.set_props("mantine", { forceColorScheme: next });
    withTemplates((known) => {
      for (const graph of document.querySelectorAll(".js-plotly-plot")) {
        if (graph._fullLayout) window.Plotly.relayout(graph, { template: known[next] });
      }
    });
  }

  function toggleTheme() { setTheme(scheme() === "dark" ? "light" : "dark"); }

  function withTemplates(then) {
    if (templates) { then(templates); return; }
    fetch("/templates.json").then((answer) => answer.json()).then((found) => { templates = found; then(found); });
  }

  function firstScheme() {
    if (document.cookie.includes(THEME_COOKIE + "=") || !window.matchMedia("(prefers-color-scheme: dark)").matches) return;
    const wait = setInterval(() => {
      if (!document.getElementById("toggle-theme") || !window.dash_clientside.set_props) return;
      clearInterval(wait);
      setTheme("dark");
    }, 50);
  }

  /* ---- callbacks of the pages ----------------------------------------------------------------------- */

  function keepView() {
    const found = (window.dash_clientside.callback_context.inputs_list || [[]])[0] || [];
    if (!found.length) return window.dash_clientside.no_update;
    const query = new URLSearchParams();
    for (const { id, value } of found) {
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one !== null && one !== undefined && one !== "") query.append(id.name, one);
      }
    }
    const search = query.toString() ? "?" + query : "";
    if (search === location.search) return window.dash_clientside.no_update;
    const samples = (text) => new URLSearchParams(text).getAll("s").join("&");
    if (location.pathname === "/compare" && samples(search) !== samples(location.search)) {
      history.pushState(null, "", location.pathname + search);
      window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    } else {
      history.replaceState(history.state, "", location.pathname + search);
    }
    return window.dash_clientside.no_update;
  }

  function compareLink() {
    const ticks = (window.dash_clientside.callback_context.inputs_list || [[]])[0] || [];
    const chosen = ticks.filter((tick) => tick.value).map((tick) => tick.id.sample);
    const query = chosen.map((name) => "s=" + encodeURIComponent(name)).join("&");
    return [
      chosen.length ? "/compare?" + query : "/compare",
      chosen.length ? "Compare " + chosen.length : "Compare",
      "compare-button" + (chosen.length > 1 ? " compare-ready" : ""),
    ];
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, { triptych: { keepView, compareLink } });
  window.triptychFrame = { say };
  firstScheme();
})();
