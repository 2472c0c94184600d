// A metric's page: lays the attacked image over the clear one, with a slider between them.
"use strict";
for (const part of document.querySelectorAll(".compare")) {
  const label = part.querySelector("label");
  const slide = () => part.style.setProperty("--at", `${label.control.value}%`);
  label.control.addEventListener("input", slide);
  label.hidden = false;
  part.classList.add("live");
  slide();
}
