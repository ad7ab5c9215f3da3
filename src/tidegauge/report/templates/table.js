"use strict";
// Sorts and searches the table of columns; the page is whole without it.
const table = document.querySelector("#columns > table");
const groups = [...table.tBodies];
const words = groups.map((body) => body.rows[0].textContent.toLowerCase());
const tools = document.querySelector("#tools");
const found = document.querySelector("#found");
tools.hidden = false;

tools.querySelector("input").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  let n = 0;
  groups.forEach((body, i) => {
    body.hidden = !wanted.every((word) => words[i].includes(word));
    n += body.hidden ? 0 : 1;
  });
  found.textContent = wanted.length ? `${n} of ${groups.length} columns` : "";
});

// A cell sorts by its data-v, a number, or by its words; what has no number comes last in either direction.
const key = (body, at) => {
  const cell = body.rows[0].cells[at];
  if (cell.dataset.v === undefined) return cell.textContent.toLowerCase();
  return cell.dataset.v === "" ? null : Number(cell.dataset.v);
};
const order = (a, b) => (typeof a === "number" ? a - b : a < b ? -1 : Number(a > b));

[...table.tHead.rows[0].cells].forEach((head, at) => {
  if (!head.dataset.sort) return;
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const first = head.dataset.sort;
    const other = first === "ascending" ? "descending" : "ascending";
    const now = head.getAttribute("aria-sort") === first ? other : first;
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", now);
    const keyed = groups.map((body, i) => [key(body, at), i, body]);
    keyed.sort(([a, i], [b, j]) => {
      if (a === null || b === null) return Number(a === null) - Number(b === null) || i - j;
      return (now === "ascending" ? order(a, b) : order(b, a)) || i - j;
    });
    table.append(...keyed.map(([, , body]) => body));
  });
});
