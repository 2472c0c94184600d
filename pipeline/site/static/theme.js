// Runs before the page is painted, so that it never appears in another theme than the chosen one.
"use strict";
{
  const root = document.documentElement;
  const remembered = {
    get() { try { return localStorage.getItem("theme"); } catch { return null; } },  // storage may be forbidden
    set(theme) { try { localStorage.setItem("theme", theme); } catch { /* the choice then ends with the page */ } },
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
