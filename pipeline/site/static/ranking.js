// The ranking: search, sort and filters. Their state is in the address (#type=FR&sort=r_score:desc), so that a link to
// it shows the same.
"use strict";
{
  const controls = document.getElementById("controls");
  const FIELDS = ["q", "type", "set", "family", "access", "defence", "budget", "direction"].filter((name) => controls.elements[name]);
  const FILTERS = ["set", "family", "access", "defence"];  // which lie folded away
  const filters = controls.querySelector("details");
  const count = document.getElementById("count");
  const SORT = "rank:asc";
  let sort = SORT;
  let applying = false;
  let kept = "";

  // Sorts by number; rows without one come last in both directions.
  const order = (sign) => (a, b) => (a === "") - (b === "") || sign * (a - b) || 0;
  DataTable.ext.type.order["number-asc"] = order(1);
  DataTable.ext.type.order["number-desc"] = order(-1);

  const value = (name) => controls.elements[name]?.value ?? "";
  const initial = Object.fromEntries(FIELDS.map((name) => [name, value(name)]));
  const put = (name, wanted) => {
    const control = controls.elements[name];
    if (control instanceof RadioNodeList) for (const radio of control) radio.checked = radio.value === wanted;  // its value cannot be ""
    else control.value = wanted;
  };
  const choose = (name, wanted) => {
    if (!(name in initial)) return;
    put(name, wanted);
    if (value(name) !== wanted) put(name, initial[name]);  // the address asks for what is not here
  };

  const boards = [...document.querySelectorAll("section.board")].map((section) => {
    const element = section.querySelector("table");
    const rows = [...element.rows];
    return { section, element, rows, table: sortable(element), paths: JSON.parse(section.dataset.details), asked: new Set(), there: new Set() };
  });

  function sortable(element) {
    const heads = [...element.tHead.rows[0].cells];
    element.hidden = true;  // in sight it would be laid out again and again
    const table = new DataTable(element, {
      autoWidth: false,
      info: false,
      layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
      order: [[0, "asc"]],
      paging: false,
      columns: heads.map(({ dataset }) => ({ type: dataset.name === "metric" ? "string" : "number", name: dataset.name })),
    });
    element.hidden = false;
    table.on("order.dt", () => {
      if (applying) return;  // only a reader's choice goes into the address, not what stands in for it in a table without it
      const [[column, direction] = []] = table.order();
      const chosen = direction ? `${heads[column].dataset.name}:${direction}` : SORT;
      if (chosen !== sort) { sort = chosen; keep(); }
    });
    return table;
  }

  // Loads columns, and then shows what is asked for by that time.
  async function bring(board, names) {
    names.forEach((name) => board.asked.add(name));
    try {
      const found = await Promise.all(names.map((name) => details.load(board.paths[name])));
      board.section.style.minHeight = `${board.section.offsetHeight}px`;  // so that what is below stays where it is
      applying = true;
      board.table.off("order.dt").destroy();  // it cannot be given further columns
      found.forEach((html) => addColumns(board.rows, details.parsed(html)));
      board.table = sortable(board.element);
      applying = false;
      board.section.style.minHeight = "";
      names.forEach((name) => board.there.add(name));
      apply();
    } catch (error) {
      names.forEach((name) => board.asked.delete(name));  // the next answer tries again
      board.section.setAttribute("aria-busy", "false");
      count.textContent += `. ${error.message}.`;
    }
  }

  // Adds the columns of another table with the same rows: a rank before all others, the rest behind them.
  function addColumns(rows, table) {
    const further = [...table.querySelectorAll("tr")].map((row) => [...row.cells]);
    const ranks = further[0].map(({ dataset }) => dataset.name === "rank");
    rows.forEach((row, index) => {
      row.prepend(...further[index].filter((_, column) => ranks[column]));
      row.append(...further[index].filter((_, column) => !ranks[column]));
    });
  }

  function read() {
    const state = new URLSearchParams(location.hash.slice(1));
    kept = "";
    for (const name of FIELDS) choose(name, state.get(name) ?? initial[name]);
    if (value("direction")) choose("budget", "");  // falls are known within the whole budget only
    sort = state.get("sort") ?? SORT;
    if (FILTERS.some((name) => value(name) !== initial[name])) filters.open = true;  // a link shows why it shows little
    apply();
  }

  function keep() {
    const state = new URLSearchParams();
    for (const name of FIELDS) if (value(name) !== initial[name]) state.set(name, value(name));
    if (sort !== SORT) state.set("sort", sort);
    kept = `#${state}`;
    if (kept !== (location.hash || "#")) location.replace(kept);
    apply();  // at once, not with hashchange, which comes later: nobody shall read the old columns under a new answer
  }

  function apply() {
    const [q, type, set, family, access, defence] = ["q", "type", "set", "family", "access", "defence"].map(value);
    const view = value("direction") || value("budget");
    const [column, direction] = [sort.slice(0, sort.lastIndexOf(":")), sort.slice(sort.lastIndexOf(":") + 1)];
    const shown = new Set();  // by name: on two data sets, a metric has a row in each
    const all = new Set();
    const named = (rows) => rows.nodes().toArray().map((row) => row.querySelector("th").dataset.order);
    applying = true;
    for (const board of boards) {
      const { section, table } = board;
      section.hidden = (type && type !== "all" && section.dataset.kind !== type) || (set && section.dataset.set !== set);
      for (const told of section.querySelectorAll(".caption [data-view]")) told.hidden = told.dataset.view !== view;
      table.search(q);
      table.search.fixed("defence", (text, data, index) => !defence || table.row(index).node().dataset.defence === defence);
      const heads = [...board.rows[0].cells];
      const find = (name) => heads.findIndex(({ dataset }) => dataset.name === name && (dataset.view ?? view) === view);
      const missing = section.hidden ? [] : [...needed(view, family, access, column, find)].filter((name) => name in board.paths && !board.there.has(name));
      if (missing.length) {
        section.setAttribute("aria-busy", "true");  // hides the old columns, which would stand under a new answer
        const further = missing.filter((name) => !board.asked.has(name));
        if (further.length) bring(board, further);
      } else {
        section.removeAttribute("aria-busy");
        columns(heads, board.rows.slice(1), view, family, access);
        const index = find(column);
        const wanted = index === -1 ? [find("rank"), "asc"] : [index, direction === "desc" ? "desc" : "asc"];
        if (wanted[0] !== -1 && String(table.order()[0]) !== String(wanted)) table.order(wanted);
      }
      table.draw();
      named(table.rows()).forEach((name) => all.add(name));
      if (!section.hidden) named(table.rows({ search: "applied" })).forEach((name) => shown.add(name));
    }
    applying = false;
    for (const name of ["family", "access"]) controls.elements[name].disabled = view !== "";  // their columns are hidden
    controls.querySelector("[type=reset]").hidden = sort === SORT && FIELDS.every((name) => value(name) === initial[name]);
    count.textContent = `${shown.size} of ${all.size} metric${all.size > 1 ? "s" : ""}`;
  }

  // Yields the names of the files that hold what the reader asks for: a view's columns, or those beside the worst case.
  function* needed(view, family, access, column, find) {
    if (view) { yield view; return; }
    const sorts = column !== "" && find(column) === -1;
    if (family || access || (sorts && !column.startsWith("attack:"))) yield "more";
    if ((family && family !== "each") || access || (sorts && column.startsWith("attack:"))) yield "attacks";
  }

  // Shows the columns of the chosen budget and direction, and those that are of none. Of the others shows what the reader
  // asks for: the worst case of each family or of one, every attack or those of one family, of one access or of any.
  // Details come with the first of them.
  function columns(heads, rows, view, family, access) {
    const asks = {
      detail: () => Boolean(family || access),
      family: (own) => !access && (family === "each" || family === own),
      attack: (own, head) => (family === "*" || family === own || (Boolean(access) && (!family || family === "each"))) && (!access || access === head.dataset.access),
    };
    heads.forEach((head, index) => {
      const { dataset } = head;
      const kind = ["detail", "attack", "family"].find((name) => name in dataset);
      const hidden = (dataset.view ?? view) !== view || (kind !== undefined && !asks[kind](dataset.family, head));
      if (head.hidden === hidden) return;
      head.hidden = hidden;
      for (const row of rows) row.cells[index].hidden = hidden;
    });
  }

  controls.addEventListener("input", ({ target }) => {
    if (target.value && target.name === "direction") choose("budget", "");
    if (target.value && target.name === "budget") choose("direction", "");
    keep();
  });
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("reset", (event) => {
    event.preventDefault();
    for (const name of FIELDS) choose(name, initial[name]);
    sort = SORT;
    keep();
  });
  addEventListener("hashchange", () => {
    if (location.hash === kept) return;  // it comes from keep
    if (!location.hash || location.hash.includes("=")) read();  // "#main" is the link that skips to the content
  });
  controls.hidden = false;
  read();
}
