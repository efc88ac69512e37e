"use strict";
(() => {
  const root = document.documentElement, table = document.getElementById("list"), form = document.getElementById("controls");
  root.classList.add("js");
  const rows = [...table.tBodies], by = (id) => document.getElementById(id);
  const texts = rows.map((row) => row.rows[0].textContent.toLowerCase().normalize("NFKC"));
  const count = by("count");

  const toggle = (row, open) => {
    row.classList.toggle("open", open);
    row.querySelector("details").open = open;
    row.querySelector(".o").setAttribute("aria-expanded", String(open));
  };
  table.addEventListener("click", (event) => {
    const button = event.target.closest(".o");
    if (button) toggle(button.closest("tbody"), button.getAttribute("aria-expanded") !== "true");
  });

  const filter = () => {
    const words = by("q").value.toLowerCase().normalize("NFKC").split(/\s+/).filter(Boolean);
    const verdict = by("f-verdict").value, department = by("f-department").value, reason = by("f-reason").value;
    const score = by("f-score").value === "" ? -Infinity : Number(by("f-score").value);
    let shown = 0;
    rows.forEach((row, place) => {
      const data = row.dataset;
      const fits = (!verdict || data.v === verdict) && (!department || data.d === department) && (!reason || data.f.includes(` ${reason} `)) &&
        Number(data.s) >= score && words.every((word) => texts[place].includes(word));
      row.hidden = !fits;
      shown += fits;
    });
    count.textContent = count.dataset.words.replace("%n", shown).replace("%m", rows.length);
  };
  form.addEventListener("input", (event) => { if (!event.target.closest(".chooser")) filter(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => {
    for (const box of form.querySelectorAll(".chooser input")) table.classList.remove(`with-${box.value}`);
    filter();
  }));
  by("controls").querySelector(".chooser").addEventListener("change", (event) => table.classList.toggle(`with-${event.target.value}`, event.target.checked));

  const heads = [...table.tHead.rows[0].cells], order = new Map(rows.map((row, place) => [row, place]));
  const language = root.lang;
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.rows[0].cells[place];
        return cell.dataset.x ?? (cell.classList.contains("n") ? null : cell.textContent.trim());
      };
      const keys = new Map(rows.map((row) => [row, key(row)]));
      const compare = (a, b) => {
        const x = keys.get(a), y = keys.get(b);
        if (x === null || y === null) return (x === null) - (y === null) || order.get(a) - order.get(b);
        const gap = isNaN(x) || isNaN(y) ? x.localeCompare(y, language) : x - y;
        return (down ? -gap : gap) || order.get(a) - order.get(b);
      };
      table.append(...[...rows].sort(compare));
    });
  });

  const reach = () => {
    const row = location.hash.startsWith("#p-") && by(location.hash.slice(1));
    if (!row || !row.closest("#list")) return;
    if (row.hidden) { form.reset(); by("f-verdict").value = ""; setTimeout(() => { by("f-verdict").value = ""; filter(); row.scrollIntoView(); }); }
    toggle(row, true);
    row.scrollIntoView();
  };
  addEventListener("hashchange", reach);
  document.addEventListener("keydown", (event) => {
    const chooser = form.querySelector(".chooser");
    if (event.key === "Escape" && chooser.open) { chooser.open = false; chooser.querySelector("summary").focus(); }
  });
  by("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  filter();
  reach();
})();
