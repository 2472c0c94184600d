// Explains badges on hover and focus, in a popover that no scrolling table cuts off. The text stands
// below the tables, too.
"use strict";
{
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.role = "tooltip";
  tip.popover = "manual";
  document.body.append(tip);

  const show = (badge) => {
    tip.textContent = badge.dataset.tip;
    badge.setAttribute("aria-describedby", "tip");
    if (!tip.matches(":popover-open")) tip.showPopover();
    const at = badge.getBoundingClientRect();
    const below = at.bottom + 6 + tip.offsetHeight < innerHeight;
    tip.style.inset = "auto";
    tip.style.left = `${Math.max(6, Math.min(at.left, innerWidth - tip.offsetWidth - 6))}px`;
    tip.style.top = `${Math.max(6, below ? at.bottom + 6 : at.top - tip.offsetHeight - 6)}px`;
  };
  const hide = () => tip.matches(":popover-open") && tip.hidePopover();

  for (const [event, action] of [["mouseover", show], ["focusin", show], ["mouseout", hide], ["focusout", hide]]) {
    document.addEventListener(event, ({ target }) => {
      const badge = target.closest?.("[data-tip]");
      if (badge) action(badge);
    });
  }
  document.addEventListener("keydown", ({ key }) => key === "Escape" && hide());
  addEventListener("scroll", () => {
    const focused = document.activeElement.closest("[data-tip]");
    if (focused && tip.matches(":popover-open")) show(focused);  // focus itself scrolls to what is out of sight
    else hide();
  }, true);
}
