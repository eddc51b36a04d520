// Makes lists answer while one types; everything works without it. The page that a search leads to is fetched, and its
// results take the place of those that are here.
"use strict";
(() => {
  // What pygal's script for tooltips asks for. It runs after this one.
  const chart = document.querySelector(".pygal-chart");
  if (chart) {
    const box = chart.viewBox.baseVal;
    window.pygal = { config: { no_prefix: true, legends: ["", ""], width: box.width, height: box.height, tooltip_fancy_mode: true } };
  }

  const form = document.querySelector("form[data-live]");
  if (!form || !window.fetch || !window.AbortController) return;
  let running = null;
  let waiting = 0;

  const results = () => document.querySelector("[data-results]");

  async function show(url, focus) {
    if (running) running.abort();
    running = new AbortController();
    try {
      const answer = await fetch(url, { signal: running.signal, headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-results]");
      const hidden = page.querySelectorAll("form[data-live] input[type=hidden]");
      if (!fresh) throw new Error("no results");
      const at = focus && [...results().querySelectorAll("a")].indexOf(document.activeElement);
      const status = results().querySelector("[role=status]");
      const said = fresh.querySelector("[role=status]");
      if (status && said) {
        // The element that is read out has to stay.
        status.textContent = said.textContent;
        said.replaceWith(status);
      }
      results().replaceChildren(...fresh.childNodes);
      form.querySelectorAll("input[type=hidden]").forEach((field) => field.remove());
      form.append(...hidden);
      history.replaceState(null, "", url);
      if (focus && at >= 0) results().querySelectorAll("a")[at]?.focus();
    } catch (error) {
      if (error.name !== "AbortError") location.assign(url);
    }
  }

  function asked() {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) query.set(name, value);
    const words = query.toString();
    return location.pathname + (words ? "?" + words : "");
  }

  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => show(asked(), false), 120);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    show(asked(), false);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-results] thead a, [data-results] .only a, [data-results] .pager a");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    link.focus();
    show(link.pathname + link.search, !link.closest(".pager")).then(() => {
      if (link.closest(".pager") || !link.isConnected && link.rel) results().scrollIntoView();
    });
  });
})();
