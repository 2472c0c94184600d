// Puts a plot into its figure, above the caption, as wide as there is room for.
"use strict";

function drawInto(figure, widest, options) {
  const width = figure.clientWidth || figure.parentElement.clientWidth;  // a hidden figure has no width of its own
  const svg = Plot.plot({
    width: Math.max(280, Math.min(width, widest)),
    style: { background: "none", fontSize: "12px" },
    ...options,
  });
  svg.setAttribute("role", "img");
  for (const part of svg.querySelectorAll("[aria-label]")) {  // the picture has one name; its parts have none
    part.removeAttribute("aria-label");
    part.removeAttribute("aria-description");
  }
  figure.querySelector("svg")?.remove();
  figure.prepend(svg);
  return svg;
}

// Writes a name beside each point, where it covers neither a point nor another name; a name without such a place is
// left out, since the point tells it when it is touched. Points: {name, x, y, r} in pixels, the most important first.
function nameInto(svg, points) {
  const WIDE = 6.6, HIGH = 13;  // pixels of a letter, and of a line
  const [left, right] = svg.scale("x").range;
  const [bottom, top] = svg.scale("y").range;
  const taken = points.map(({ x, y, r }) => [x - r, y - r, x + r, y + r]);
  const free = (box) => box[0] >= left && box[1] >= top && box[2] <= right && box[3] <= bottom + HIGH / 2 &&
    taken.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
  for (const { name, x, y, r } of points) {
    const width = WIDE * name.length;
    const places = [[x + r + 3, y], [x - r - 3 - width, y], [x - width / 2, y - r - 8], [x - width / 2, y + r + 8], [x + r, y - 11], [x + r, y + 11]];
    const place = places.find(([start, middle]) => free([start, middle - HIGH / 2, start + width, middle + HIGH / 2]));
    if (!place) continue;
    taken.push([place[0], place[1] - HIGH / 2, place[0] + width, place[1] + HIGH / 2]);
    d3.select(svg).append("text").attr("x", place[0]).attr("y", place[1]).attr("dy", "0.32em").attr("text-anchor", "start").attr("fill", "var(--ink)").attr("font-size", 11).text(name);
  }
}
