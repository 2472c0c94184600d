// A metric's page: its security curve, before those of its neighbours.
"use strict";
{
  const SHARE = 0.1;  // of the range: the move whose smallest budget the page tells
  const HEIGHT = 300;
  const LINE = 16;  // pixels between the names of two curves

  const read = (text) => text.map(([budget, gain, low, high]) => ({ budget, gain, low, high })).filter(({ gain }) => Number.isFinite(gain));

  // Returns the last points with their names, moved apart where they would overlap.
  function names(curves, top) {
    const gap = (LINE / (HEIGHT - 60)) * top;
    const ends = curves.map(({ metric, points, own }) => ({ metric, own, ...points.at(-1) })).sort((a, b) => a.gain - b.gain);
    ends.forEach((end, i) => { end.gain = i ? Math.max(end.gain, ends[i - 1].gain + gap) : end.gain; });
    return ends;
  }

  function draw(figure) {
    const { metric } = figure.dataset;
    const points = read(JSON.parse(figure.dataset.curve));
    const others = JSON.parse(figure.dataset.others).map(({ metric, curve }) => ({ metric, points: read(curve) }));
    const sure = points.filter(({ low, high }) => Number.isFinite(low) && Number.isFinite(high));
    const about = ({ budget, gain }) => `within ${budget}/255: ${gain.toFixed(3)}`;
    const top = Math.max(...points.concat(sure.map(({ high }) => ({ gain: high })), ...others.map((each) => each.points)).map(({ gain }) => gain), 2 * SHARE);
    const curves = [...others, { metric, points, own: true }];
    const said = others.length ? names(curves, top) : [];
    const widest = Math.max(0, ...said.map((each) => each.metric.length));
    const roomy = figure.clientWidth > 420;
    drawInto(figure, 640, {
      height: HEIGHT,
      marginBottom: 40,
      marginLeft: 48,
      marginRight: roomy && said.length ? Math.min(20 + 7 * widest, figure.clientWidth / 2) : 16,
      marginTop: 24 + LINE * Math.max(0, said.length - 3),
      ariaLabel: `Worst-case gain of ${metric} by budget`,
      x: { label: "budget, in 255ths →", ticks: points.map(({ budget }) => budget), tickFormat: "d" },
      y: { label: "↑ worst-case gain", grid: true, domain: [0, top] },
      marks: [
        ...others.map((each) => Plot.lineY(each.points, { x: "budget", y: "gain", stroke: "var(--soft)", strokeOpacity: 0.55, strokeWidth: 1.25 })),
        Plot.areaY(sure, { x: "budget", y1: "low", y2: "high", fill: "var(--attacked)", fillOpacity: 0.18 }),
        Plot.ruleY([0]),
        Plot.ruleY([SHARE], { stroke: "var(--soft)", strokeDasharray: "4 3" }),
        Plot.lineY(points, { x: "budget", y: "gain", stroke: "var(--attacked)", strokeWidth: 2.5 }),
        Plot.dot(points, { x: "budget", y: "gain", fill: "var(--attacked)", r: 4, title: about, tip: true }),
        roomy ? Plot.text(said, { x: "budget", y: "gain", text: "metric", dx: 9, textAnchor: "start", fill: (each) => (each.own ? "var(--ink)" : "var(--soft)"), fontWeight: (each) => (each.own ? 600 : 400) }) : null,
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
