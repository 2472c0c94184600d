// The ranking: search, sort and filters. Their state is in the address (#type=FR&sort=r_score:desc), so that a link to
// it shows the same.
"use strict";
{
  const controls = document.getElementById("controls");
  const FIELDS = ["q", "type", "set", "family", "access", "defence"];
  const SORT = "rank:asc";
  let sort = SORT;

  // Sorts by number; rows without one come last in both directions.
  const order = (sign) => (a, b) => (a === "") - (b === "") || sign * (a - b) || 0;
  DataTable.ext.type.order["number-asc"] = order(1);
  DataTable.ext.type.order["number-desc"] = order(-1);

  const boards = [...document.querySelectorAll("section.board")].map((section) => {
    const element = section.querySelector("table");
    const names = [...element.tHead.rows[0].cells].map((cell) => cell.dataset.name);
    const table = new DataTable(element, {
      autoWidth: false,
      info: false,
      layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
      order: [[0, "asc"]],
      paging: false,
      columns: names.map((name) => ({ type: name === "metric" ? "string" : "number", name })),
    });
    table.on("order.dt", () => {
      const [[column, direction] = []] = table.order();
      const chosen = direction ? `${names[column]}:${direction}` : SORT;
      if (chosen !== sort) { sort = chosen; keep(); }
    });
    return { section, element, names, table };
  });

  function read() {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const name of FIELDS) {
      const control = controls.elements[name];
      control.value = state.get(name) ?? "";
      if (control.selectedIndex === -1) control.value = "";  // the address asks for an option that is not here
    }
    sort = state.get("sort") ?? SORT;
    apply();
  }

  function keep() {
    const state = new URLSearchParams();
    for (const name of FIELDS) if (controls.elements[name].value) state.set(name, controls.elements[name].value);
    if (sort !== SORT) state.set("sort", sort);
    const address = `#${state}`;
    if (address !== (location.hash || "#")) location.replace(address);  // hashchange then calls read
    else apply();
  }

  function apply() {
    const [q, type, set, family, access, defence] = FIELDS.map((name) => controls.elements[name].value);
    const [column, direction] = [sort.slice(0, sort.lastIndexOf(":")), sort.slice(sort.lastIndexOf(":") + 1)];
    let shown = 0;
    let all = 0;
    for (const { section, element, names, table } of boards) {
      section.hidden = (type && section.dataset.kind !== type) || (set && section.dataset.set !== set);
      columns(element, family, access);
      table.search(q);
      table.search.fixed("defence", (text, data, index) => !defence || table.row(index).node().dataset.defence === defence);
      const index = Math.max(names.indexOf(column), 0);
      const wanted = [index, direction === "desc" ? "desc" : "asc"];
      if (String(table.order()[0]) !== String(wanted)) table.order(wanted);
      table.draw();
      all += table.rows().count();
      if (!section.hidden) shown += table.rows({ search: "applied" }).count();
    }
    document.getElementById("count").textContent = `${shown} of ${all} metrics`;
  }

  // Shows the worst case of each family. Once a family or an access is chosen, shows the attacks that match instead; a
  // family chosen without an access also keeps its worst case.
  function columns(element, family, access) {
    [...element.tHead.rows[0].cells].forEach((head, index) => {
      const { attack, family: own } = head.dataset;
      if (own === undefined) return;
      const ofFamily = !family || family === "*" || family === own;
      const hidden = attack === undefined
        ? Boolean(access) || !ofFamily || family === "*"
        : !(family || access) || !ofFamily || (Boolean(access) && head.dataset.access !== access);
      if (head.hidden === hidden) return;
      for (const row of element.rows) if (row.cells.length > index) row.cells[index].hidden = hidden;
    });
  }

  controls.addEventListener("input", keep);
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("reset", (event) => {
    event.preventDefault();
    for (const name of FIELDS) controls.elements[name].value = "";
    sort = SORT;
    keep();
  });
  addEventListener("hashchange", () => {
    if (!location.hash || location.hash.includes("=")) read();  // "#main" is the link that skips to the content
  });
  controls.hidden = false;
  read();
}
