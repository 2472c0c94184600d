// The defences of one metric at a time; which one stands in the address (#of=ssim+on+sample).
"use strict";
{
  const form = document.getElementById("choose");
  const chooser = form.elements.of;
  const sections = [...document.querySelectorAll("section.defended")];

  function show() {
    chooser.value = new URLSearchParams(location.hash.slice(1)).get("of");
    if (chooser.selectedIndex === -1) chooser.selectedIndex = 0;
    for (const section of sections) section.hidden = section.dataset.of !== chooser.value;
  }

  chooser.addEventListener("change", () => location.replace(`#${new URLSearchParams({ of: chooser.value })}`));
  addEventListener("hashchange", () => { if (!location.hash || location.hash.includes("=")) show(); });
  form.hidden = sections.length < 2;
  show();
}
