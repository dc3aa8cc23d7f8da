/* What all edits share: the sample they are of, who makes them, sending them, waiting for the registration. */
(function () {
  "use strict";

  const NAME_KEY = "triptych-name";
  const POLL_MS = 600;

  const sampleId = () => {
    const page = document.querySelector("[data-linked]");
    return page ? page.dataset.linked : "";
  };
  const address = (rest) => "/edits/" + encodeURIComponent(sampleId()) + (rest || "");

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "onclick") made.addEventListener("click", value);
      else made.setAttribute(name, value);
    }
    for (const child of children) made.append(child);
    return made;
  }

  function button(text, label, onclick) {
    return element("button", { type: "button", class: "action edit-action", title: label, "aria-label": label, onclick }, text);
  }

  function nameField() {
    const field = element("input", {
      type: "text", class: "edit-name", maxlength: "80", placeholder: "your name", "aria-label": "Your name, kept with the edit",
      autocomplete: "name",
    });
    try { field.value = localStorage.getItem(NAME_KEY) || ""; } catch (error) { field.value = ""; }
    return field;
  }

  function who(field, say) {
    const name = field.value.trim();
    if (!name) { say("Who are you? The name is kept with the edit."); field.focus(); return null; }
    try { localStorage.setItem(NAME_KEY, name); } catch (error) { /* a browser that keeps nothing asks each time */ }
    return name;
  }

  const json = (answer) => answer.json().catch(() => ({ message: "The server did not answer as expected (" + answer.status + ")." }));

  async function get(rest) {
    try { return await json(await fetch(address(rest), { cache: "no-store" })); }
    catch (error) { return { message: "The server does not answer." }; }
  }

  /* Send an edit, wait until the sample is registered anew, then show the page as it is now. */
  async function send(edit, after, say) {
    say("Saving");
    let found;
    try {
      found = await json(await fetch(address(), {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ after, edit }),
      }));
    } catch (error) { found = { message: "The server does not answer: nothing was saved." }; }
    if (found.message) { say(found.message); return false; }
    for (;;) {
      const { state, message } = await get("/edits.json");
      if (message || !state) { say(message || "The server does not answer."); return false; }
      if (state.fault) { say(state.fault); return false; }
      if (!state.running) break;
      say("Saved. Registering all maps anew, " + Math.round(state.seconds) + " s");
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
    say("Done");
    location.reload();
    return true;
  }

  /* Who drew what and when, newest first, as a list that opens. */
  function history(entries, of) {
    const list = element("ol", { class: "edit-history-list", reversed: "" });
    const own = entries.filter((entry) => entry.of === of).reverse();
    for (const entry of own) {
      const when = entry.when.replace("T", " ").replace("Z", " UTC");
      list.append(element("li", {}, (entry.taken_back ? "taken back" : "saved") + " by " + entry.who + ", " + when));
    }
    if (!own.length) return element("span", { class: "edit-none" }, "no edit so far");
    return element("details", { class: "edit-history" }, element("summary", {}, "History (" + own.length + ")"), list);
  }

  window.triptychEdits = { element, button, nameField, who, get, send, history };
})();
