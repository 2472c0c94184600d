// The plots of plots.html: how sure the ranks of metrics are, and robustness against accuracy and speed.
"use strict";
{
  const data = JSON.parse(document.getElementById("data").textContent);
  const finite = (...values) => values.every((value) => typeof value === "number");

  const milliseconds = (each) => 1000 * each.seconds;

  const plots = {
    ranks(metrics) {
      const ranked = metrics.filter((each) => each.rank !== null);
      return ranked.length && {
        marginBottom: 40,
        height: 70 + 20 * ranked.length,
        marginLeft: 24 + 6.6 * d3.max(ranked, (each) => each.metric.length),
        ariaLabel: "Rank of every metric, with its interval",
        x: { label: "rank →", domain: [1, Math.max(2, ranked.length)], ticks: d3.ticks(1, ranked.length, innerWidth < 500 ? 3 : 10).filter(Number.isInteger), tickFormat: "d", grid: true, inset: 8 },
        y: { label: null, domain: ranked.map((each) => each.metric), tickSize: 0 },
        marks: [
          Plot.link(ranked.filter((each) => each.ranks), { x1: (each) => each.ranks[0], x2: (each) => each.ranks[1], y: "metric", stroke: "var(--clear)", strokeWidth: 2.5 }),
          Plot.dot(ranked, { x: "rank", y: "metric", fill: "var(--attacked)", r: 4.5, title: (each) => `${each.metric}: rank ${each.rank}${each.ranks ? `, ${each.ranks.join(" to ")} in 95 % of the resamples` : ""}`, tip: true }),
        ],
      };
    },
    accuracy(metrics) {
      const rated = metrics.filter((each) => finite(each.srocc, each.gain[0]));
      const about = (each) => `${each.metric}: gain ${each.gain[0].toFixed(3)}, SROCC ${each.srocc.toFixed(3)}${finite(each.seconds) ? `, ${milliseconds(each).toPrecision(3)} ms` : ""}`;
      return rated.length && {
        named: { metrics: rated, x: (each) => each.srocc },
        insetLeft: 14,
        height: 380,
        marginBottom: 40,
        marginLeft: 56,
        marginRight: 20,
        ariaLabel: "Worst-case gain of every metric against its rank correlation with people's opinions",
        x: { label: "SROCC with people's opinions →", grid: true, ticks: 6, domain: [Math.min(0, d3.min(rated, (each) => each.srocc)), 1] },
        y: { label: "↑ worst-case gain, smaller is more robust", grid: true, nice: true, zero: true },
        r: { type: "log", range: [4, 13] },
        marks: [
          Plot.ruleX(rated.filter((each) => finite(...each.gain)), { x: "srocc", y1: (each) => each.gain[1], y2: (each) => each.gain[2], stroke: "var(--clear)", strokeOpacity: 0.6 }),
          Plot.dot(rated.filter((each) => finite(each.seconds)), { x: "srocc", y: (each) => each.gain[0], r: milliseconds, fill: "var(--attacked)", fillOpacity: 0.75, title: about, tip: true }),
          Plot.dot(rated.filter((each) => !finite(each.seconds)), { x: "srocc", y: (each) => each.gain[0], r: 4, stroke: "var(--attacked)", title: about, tip: true }),
        ],
      };
    },
    speed(metrics) {
      const timed = metrics.filter((each) => finite(each.seconds, each.gain[0]));
      return timed.length && {
        named: { metrics: timed, x: milliseconds },
        insetLeft: 14,
        height: 380,
        marginBottom: 40,
        marginLeft: 56,
        marginRight: 20,
        ariaLabel: "Worst-case gain of every metric against its milliseconds per image and pass",
        x: { type: "log", label: "milliseconds per image and pass →", grid: true, nice: true, ticks: 5, tickFormat: "~g" },
        y: { label: "↑ worst-case gain, smaller is more robust", grid: true, nice: true, zero: true },
        marks: [
          Plot.ruleX(timed.filter((each) => finite(...each.gain)), { x: milliseconds, y1: (each) => each.gain[1], y2: (each) => each.gain[2], stroke: "var(--clear)", strokeOpacity: 0.6 }),
          Plot.dot(timed, { x: milliseconds, y: (each) => each.gain[0], fill: "var(--attacked)", r: 4.5, title: (each) => `${each.metric}: gain ${each.gain[0].toFixed(3)}, ${milliseconds(each).toPrecision(3)} ms`, tip: true }),
        ],
      };
    },
  };

  function draw(figure, metrics) {
    const options = plots[figure.dataset.plot](metrics);
    figure.hidden = !options;
    if (!options) return;
    const { named, ...plot } = options;
    const svg = drawInto(figure, 620, plot);
    if (!named) return;
    const [x, y, r] = ["x", "y", "r"].map((name) => svg.scale(name));
    const radius = (each) => (r && finite(each.seconds) ? r.apply(milliseconds(each)) : 5);
    nameInto(svg, named.metrics.map((each) => ({ name: each.metric, x: x.apply(named.x(each)), y: y.apply(each.gain[0]), r: radius(each) })));
  }

  for (const part of document.querySelectorAll(".figures")) {
    const { metrics } = data[Number(part.dataset.section)];
    const show = () => part.querySelectorAll("figure").forEach((figure) => draw(figure, metrics));
    let width = 0;
    new ResizeObserver(() => {
      if (part.clientWidth !== width) { width = part.clientWidth; show(); }
    }).observe(part);
  }
}
