// Loaded before anything is painted, so that a chosen theme does not flash.
"use strict";
{
  const root = document.documentElement;
  const remembered = {
    get() { try { return localStorage.getItem("theme"); } catch { return null; } },  // storage may be forbidden
    set(theme) { try { localStorage.setItem("theme", theme); } catch { /* the page forgets it */ } },
  };
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  const current = () => root.dataset.theme ?? (preferred.matches ? "dark" : "light");
  const chosen = remembered.get();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => { button.textContent = current() === "dark" ? "Light theme" : "Dark theme"; };
    button.addEventListener("click", () => {
      root.dataset.theme = current() === "dark" ? "light" : "dark";
      remembered.set(root.dataset.theme);
      label();
    });
    preferred.addEventListener("change", label);
    label();
    button.hidden = false;
  });
}
