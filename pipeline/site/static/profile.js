// A metric's page: histograms and scatter plots of the chosen attack, which stands in the address (#attack=ifgsm).
"use strict";
{
  function draw(figure, label, options) {
    drawInto(figure, 560, { height: 270, marginBottom: 40, marginLeft: 52, ariaLabel: label, ...options });
  }

  function scores(figure, attack, unit, { edges, clear, attacked, settings }) {
    const steps = (counts, what) => counts.map((count, i) => ({ x1: edges[i], x2: edges[i + 1], count, what }));
    const marks = [["clear", clear, "var(--clear)", "none"], ["attacked", attacked, "var(--attacked)", "4 3"]];
    draw(figure, `Histogram of the scores before and after ${attack}`, {
      x: { label: "score →" },
      y: { label: settings > 1 ? `↑ ${unit}s, times settings` : `↑ ${unit}s`, grid: true, ticks: d3.ticks(0, d3.max([...clear, ...attacked]), 6).filter(Number.isInteger), tickFormat: "d" },
      marks: [
        ...marks.flatMap(([what, counts, colour, dash]) => [
          Plot.rectY(steps(counts, what), { x1: "x1", x2: "x2", y: "count", fill: colour, fillOpacity: 0.25 }),
          Plot.rectY(steps(counts, what), {
            x1: "x1", x2: "x2", y: "count", fill: "none", stroke: colour, strokeWidth: 1.5, strokeDasharray: dash,
            filter: "count", title: (bin) => `${bin.what}: ${bin.count} ${unit}s from ${bin.x1} to ${bin.x2}`,
          }),
        ]),
        Plot.ruleY([0]),
      ],
    });
  }

  function scatter(figure, attack, points, index, label) {
    const known = points.filter((point) => point[index] !== null && point[2] !== null);
    const [low, high] = d3.extent(known, (point) => point[index]);
    const domain = low === high ? [0.9 * low, 1.1 * low] : undefined;  // a single value has no extent to draw
    draw(figure, `Gain under ${attack} against ${label}`, {
      x: { label: `${label} →`, nice: true, ...(domain && { domain }) },
      y: { label: "↑ gain", grid: true, nice: true },
      marks: [
        Plot.ruleY([0]),
        Plot.dot(known, { x: (point) => point[index], y: (point) => point[2], stroke: "var(--clear)", fill: "var(--clear)", fillOpacity: 0.3, r: 3, tip: true }),
      ],
    });
  }

  for (const part of document.querySelectorAll(".profile")) {
    const select = part.querySelector("select");
    const [histogram, psnr, ssim] = part.querySelectorAll("figure");
    let data;
    const show = () => {
      if (!data) return;
      const profile = data[select.value];
      const { unit } = part.dataset;
      scores(histogram, select.value, unit, profile);
      scatter(psnr, select.value, profile.points, 0, "PSNR");
      scatter(ssim, select.value, profile.points, 1, "SSIM");
      const some = profile.points.length < profile.images ? `, evenly taken from ${profile.images}` : "";
      const unchanged = profile.unchanged ? ` On ${profile.unchanged} of them no pixel changed, so that PSNR has no place for them.` : "";
      part.querySelector("[role=status]").textContent =
        `Solid blue: clear, dashed orange: attacked. A point is ${unit === "image" ? "an image" : "a clip"}${profile.settings > 1 ? ` under one of ${profile.settings} training sets and amplitudes` : ""}: ${profile.points.length}${some}.${unchanged}`;
    };
    const read = () => {
      const wanted = new URLSearchParams(location.hash.slice(1)).get("attack");
      if ([...select.options].some((option) => option.value === wanted)) select.value = wanted;
    };
    part.hidden = false;
    select.addEventListener("change", () => { location.replace(`#${new URLSearchParams({ attack: select.value })}`); show(); });
    addEventListener("hashchange", () => { read(); show(); });
    read();
    new ResizeObserver(show).observe(part);
    details.whenNear(part, part.dataset.points, (content) => { data = content; show(); });
  }
}
