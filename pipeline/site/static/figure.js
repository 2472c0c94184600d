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
  figure.querySelector("svg")?.remove();
  figure.prepend(svg);
}
