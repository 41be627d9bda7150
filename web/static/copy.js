// ［番号をコピーする］; without this script, or where the browser gives pages no clipboard, the button is not there.
(() => {
  "use strict";

  const button = document.querySelector("[data-copy]");
  const copied = document.querySelector("[data-copied]");
  if (!button || !copied || !navigator.clipboard) return;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(copied.textContent.trim());
    document.querySelector("[data-copy-status]").textContent = button.dataset.done;
  });
  button.hidden = false;
})();
