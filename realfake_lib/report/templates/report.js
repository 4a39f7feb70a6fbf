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
      document.body.classList.toggle("code-shown", show);
      document.querySelectorAll("details.code").forEach((cell) => { cell.open = show; });
    });
  }

  const unfold = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const folded = target && target.closest("details");
    if (folded && !folded.open) {
      folded.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", unfold);
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details.appendix").forEach((part) => { part.open = true; });
  });
  unfold();

  // Tables are sorted by a click on a header: up, then down.
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = parseFloat(text.replace(/,/g, "").replace("\u2212", "-").replace(/^[+±]/, ""));
    const scale = { k: 1e3, M: 1e6, G: 1e9 }[text.replace(/^[\d.,\s\u2212-]+/, "")] || 1;
    return text === "–" ? -Infinity : Number.isNaN(number) ? text.toLowerCase() : number * scale;
  };
  document.querySelectorAll("figure.tabular table").forEach((table) => {
    const body = table.tBodies[0];
    if (body.rows.length < 3) return;
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const down = header.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        header.setAttribute("aria-sort", down ? "descending" : "ascending");
        const keys = new Map([...body.rows].map((row) => [row, value(row, column)]));
        const rows = [...body.rows].sort((a, b) => {
          const [x, y] = [keys.get(a), keys.get(b)];
          const order = typeof x === typeof y ? (x < y ? -1 : x > y ? 1 : 0) : typeof x === "string" ? 1 : -1;
          return down ? -order : order;
        });
        body.append(...rows);
      });
    });
  });

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
