// ［設定する］ asks in a dialog before it sends (G20). Where dialogs are unknown nothing is intercepted, and the server
// asks on a page of its own.
(() => {
  "use strict";

  const form = document.querySelector("form[data-confirm]");
  const dialog = form?.querySelector("dialog");
  if (!dialog || typeof dialog.showModal !== "function") return;

  const yes = dialog.querySelector("[data-yes]");
  const no = dialog.querySelector("[data-no]");
  let sent = false;

  // "submit" comes after the browser's own check of the fields, so the question is asked about a complete form.
  form.addEventListener("submit", (event) => {
    if (event.submitter === yes) {
      if (sent) event.preventDefault();
      sent = true;
      return;
    }
    event.preventDefault();
    for (const shown of dialog.querySelectorAll("[data-shows]")) {
      shown.textContent = document.getElementById(shown.dataset.shows).value;
    }
    if (!dialog.open) dialog.showModal();
    yes.focus();
  });

  no.addEventListener("click", () => dialog.close());

  // Coming back by the browser's history, the form may be sent again; its request_key keeps it one application.
  window.addEventListener("pageshow", () => {
    sent = false;
    if (dialog.open) dialog.close();
  });
})();
