// A metric's page: its security curve.
"use strict";
{
  const SHARE = 0.1;  // of the range: the move whose smallest budget the page tells

  function draw(figure) {
    const points = JSON.parse(figure.dataset.curve)
      .map(([budget, gain, low, high]) => ({ budget, gain, low, high }))
      .filter(({ gain }) => Number.isFinite(gain));
    const sure = points.filter(({ low, high }) => Number.isFinite(low) && Number.isFinite(high));
    const about = ({ budget, gain }) => `within ${budget}/255: ${gain.toFixed(3)}`;
    drawInto(figure, 560, {
      height: 270,
      marginBottom: 40,
      marginLeft: 52,
      ariaLabel: `Worst-case gain of ${figure.dataset.metric} by budget`,
      x: { label: "budget, in 255ths →", ticks: points.map(({ budget }) => budget), tickFormat: "d" },
      y: { label: "↑ worst-case gain", grid: true, nice: true, zero: true },
      marks: [
        Plot.areaY(sure, { x: "budget", y1: "low", y2: "high", fill: "var(--blue)", fillOpacity: 0.2 }),
        Plot.ruleY([0]),
        Plot.ruleY([SHARE], { stroke: "var(--quiet)", strokeDasharray: "4 3" }),
        Plot.lineY(points, { x: "budget", y: "gain", stroke: "var(--blue)", strokeWidth: 2 }),
        Plot.dot(points, { x: "budget", y: "gain", fill: "var(--orange)", r: 4, title: about, tip: true }),
      ],
    });
  }

  for (const figure of document.querySelectorAll("figure.curve")) {
    let width = 0;
    new ResizeObserver(() => {
      if (figure.clientWidth !== width) { width = figure.clientWidth; draw(figure); }
    }).observe(figure);
  }
}
