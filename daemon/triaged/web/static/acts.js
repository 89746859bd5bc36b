// Does what a form of a page asks for, by the API: its fields that are filled in, as JSON.
"use strict";

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-act]");
  if (!form) return;
  event.preventDefault();
  const said = form.querySelector("[data-said]");
  const button = form.querySelector("button");
  const body = {};
  const headers = { "Content-Type": "application/json" };
  for (const [name, value] of new FormData(form)) {
    if (name === "token") headers.Authorization = `Bearer ${value}`;
    else if (value.trim()) body[name] = value;
  }
  // Sent again after a lost answer, a report is the same one.
  if ("opens" in form.dataset) body.request_id = form.dataset.sent ??= crypto.getRandomValues(new Uint32Array(4)).join("-");
  button.disabled = true;
  try {
    const answer = await fetch(form.dataset.act, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error((await answer.json()).error);
    // The token stays until the page is closed, who acts for the next time, too.
    for (const name of ["by", "on_behalf_of"]) if (body[name]) localStorage.setItem("who", body[name]);
    const done = "opens" in form.dataset ? await answer.json() : {};
    delete form.dataset.sent;
    if (done.held) throw new Error(`no incident yet: ${done.held}`);
    if (done.id) location.assign(`/incidents/${done.id}`);
    else location.reload();
  } catch (error) {
    said.textContent = error.message;
    button.disabled = false;
  }
});

function remember() {
  for (const field of document.querySelectorAll("[data-who]")) field.value ||= localStorage.getItem("who") ?? "";
}
remember();
new MutationObserver(remember).observe(document.body, { childList: true });
