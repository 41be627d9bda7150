// ［印刷する］; without this script it would do nothing, so it is shown from here.
(() => {
  "use strict";

  for (const button of document.querySelectorAll("[data-print]")) {
    button.addEventListener("click", () => window.print());
    button.hidden = false;
  }
})();
