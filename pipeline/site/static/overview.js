// The plots of plots.html: how sure the ranks of metrics are, and robustness against accuracy and speed.
"use strict";
{
  const data = JSON.parse(document.getElementById("data").textContent);
  const finite = (...values) => values.every((value) => typeof value === "number");

  const milliseconds = (each) => 1000 * each.seconds;

  // Writes each metric's name beside its dot, on the side with more room; no names if they would overlap.
  function labels(metrics, x, d, log = false) {
    if (metrics.length > (window.innerWidth < 500 ? 6 : 30)) return [];
    const place = (each) => (log ? Math.log(x(each)) : x(each));
    const [low, high] = d3.extent(metrics, place);
    const left = (each) => place(each) > (low + high) / 2 && low < high;
    return [["start", d, (each) => !left(each)], ["end", -d, left]].map(([textAnchor, dx, filter]) =>
      Plot.text(metrics, { x, y: (each) => each.gain[0], text: "metric", dx, dy: -d, textAnchor, filter }));
  }

  const plots = {
    ranks(metrics) {
      const ranked = metrics.filter((each) => each.rank !== null);
      return ranked.length && {
        marginBottom: 40,
        height: 70 + 20 * ranked.length,
        marginLeft: 130,
        ariaLabel: "Rank of every metric, with its interval",
        x: { label: "rank →", domain: [1, Math.max(2, ranked.length)], ticks: d3.ticks(1, ranked.length, 10).filter(Number.isInteger), tickFormat: "d", grid: true, inset: 8 },
        y: { label: null, domain: ranked.map((each) => each.metric), tickFormat: (name) => (name.length > 17 ? `${name.slice(0, 16)}…` : name) },
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
          ...labels(rated, (each) => each.srocc, 9),
        ],
      };
    },
    speed(metrics) {
      const timed = metrics.filter((each) => finite(each.seconds, each.gain[0]));
      return timed.length && {
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
          ...labels(timed, milliseconds, 7, true),
        ],
      };
    },
  };

  function draw(figure, metrics) {
    const options = plots[figure.dataset.plot](metrics);
    figure.hidden = !options;
    if (options) drawInto(figure, 620, options);
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
