// Everything works without this script; it only makes the page handier.
"use strict";
(() => {
  const narrow = matchMedia("screen and (max-width: 68.99rem)");
  const contents = document.querySelector(".toc > details");
  if (contents) {
    const fit = () => { contents.open = !narrow.matches; };
    narrow.addEventListener("change", fit);
    fit();
    contents.addEventListener("click", (event) => {
      if (narrow.matches && event.target.closest("a")) contents.open = false;
    });
  }

  const toggle = document.getElementById("toggle-code");
  if (toggle) {
    toggle.addEventListener("click", () => {
      const show = toggle.getAttribute("aria-pressed") !== "true";
      toggle.setAttribute("aria-pressed", String(show));
      toggle.textContent = show ? "Hide all code" : "Show all code";
      document.querySelectorAll("details.code").forEach((cell) => { cell.open = show; });
    });
  }

  const unfold = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.matches("details.code")) {
      target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", unfold);
  unfold();

  const links = new Map([...document.querySelectorAll(".toc a")].map((link) => [
    link.getAttribute("href").slice(1), link,
  ]));
  const places = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  if (!places.length) return;
  let current = null;
  let waiting = false;
  const mark = () => {
    waiting = false;
    let place = null;
    for (const candidate of places) {
      if (candidate.getBoundingClientRect().top <= 120) place = candidate;
    }
    const link = place && links.get(place.id);
    if (link === current) return;
    document.querySelectorAll(".toc .here").forEach((old) => old.classList.remove("here"));
    current = link;
    for (let item = link && link.parentElement; item && item.matches(".toc li"); ) {
      item.classList.add("here");
      item = item.parentElement.closest("li");
    }
    if (link && !narrow.matches) link.scrollIntoView({ block: "nearest" });
  };
  addEventListener("scroll", () => {
    if (!waiting) { waiting = true; requestAnimationFrame(mark); }
  }, { passive: true });
  mark();
})();
