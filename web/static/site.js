// Small comforts on every page. The site works without them.
(() => {
  "use strict";

  // A page that is the answer to a form has an address of its own in the history: a browser that comes back to it opens
  // that, where it would else show an error page of its own.
  const address = document.querySelector("meta[name=page-address]");
  if (address) history.replaceState(history.state, "", address.content);

  // A page that came back with mistakes begins at their summary, one that follows an act at what it says of it: not at
  // the part of the page before to which its reader had skipped, which a form and the answer to it hand on.
  const first = document.querySelector("[data-mistakes]") ?? document.querySelector("[data-told]");
  if (first) {
    if (location.hash) history.replaceState(history.state, "", location.pathname + location.search);
    first.focus();
  }

  // A menu closes on Escape. Where it lies over the page it closes as well once the focus or a press is elsewhere, so
  // that it hides nothing that has the focus (WCAG 2.4.11); where it stands within the page, that would move what is
  // being pressed.
  for (const menu of document.querySelectorAll("details.submenu")) {
    const covers = () => getComputedStyle(menu.querySelector("ul")).position === "absolute";
    const close = () => {
      menu.open = false;
    };
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      close();
      menu.querySelector("summary").focus();
    });
    menu.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !menu.contains(event.relatedTarget) && covers()) close();
    });
    document.addEventListener("click", (event) => {
      if (!menu.contains(event.target) && covers()) close();
    });
  }

  // A checkbox that shows passwords; without this script it would do nothing, so it is shown from here.
  for (const choice of document.querySelectorAll("[data-reveals]")) {
    const box = choice.querySelector("input");
    const show = () => {
      for (const id of choice.dataset.reveals.split(" ")) {
        document.getElementById(id).type = box.checked ? "text" : "password";
      }
    };
    box.addEventListener("change", show);
    // Browsers offer to keep what was typed only if it is a password when it is sent.
    box.form.addEventListener("submit", () => {
      box.checked = false;
      show();
    });
    choice.hidden = false;
  }
})();
