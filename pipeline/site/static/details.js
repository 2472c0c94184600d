// Loads what lies in files beside the page: scripts, since from file:// a page can read nothing else.
"use strict";

// What such a file calls with its content: HTML that a template wrote, or what is drawn.
function detail(content) { document.currentScript.content = content; }

const details = (() => {
  const asked = new Map();

  // Returns the content of a file; it is read once.
  function load(path) {
    if (!asked.has(path)) {
      asked.set(path, new Promise((done, fail) => {
        const script = document.createElement("script");
        script.src = path;
        script.onload = () => { script.remove(); done(script.content); };
        script.onerror = () => { script.remove(); asked.delete(path); fail(new Error(`${path} could not be read: it must lie beside this page`)); };
        document.head.append(script);
      }));
    }
    return asked.get(path);
  }

  function parsed(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content;
  }

  const AHEAD = 800;  // pixels below what is in sight, so that one who scrolls need not wait
  const places = new Map();
  const near = new IntersectionObserver((seen) => {
    for (const { isIntersecting, target } of seen) if (isIntersecting) bring(target);
  }, { rootMargin: `${AHEAD}px` });

  async function bring(place) {
    const wanted = places.get(place);
    if (!wanted) return;
    places.delete(place);
    near.unobserve(place);
    place.setAttribute("aria-busy", "true");
    try {
      wanted.use(await load(wanted.path));
    } catch (error) {
      place.append(`${error.message}.`);
    }
    place.removeAttribute("aria-busy");
  }

  // Loads a file once its place is nearly in sight, or the page is printed, and calls `use` with the content.
  function whenNear(place, path, use) {
    places.set(place, { path, use });
    if (place.checkVisibility() && place.getBoundingClientRect().top < innerHeight + AHEAD) bring(place);  // before the page counts as loaded
    else near.observe(place);
  }

  addEventListener("beforeprint", () => [...places.keys()].forEach(bring));
  addEventListener("DOMContentLoaded", () => {
    for (const place of document.querySelectorAll("[data-detail]")) {
      whenNear(place, place.dataset.detail, (html) => place.replaceChildren(parsed(html)));
    }
  });
  return { load, parsed, whenNear };
})();
