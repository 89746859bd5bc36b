// Keeps a page true without flicker: asks for it again and exchanges what has changed. When the daemon does not answer
// the page says so, because an old board that looks alive is worse than none.
"use strict";
const every = 15000;
const banner = document.getElementById("offline");
let failing = null;

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(`the daemon answered ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    failing = null;
    banner.hidden = true;
    document.title = fresh.title;
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      // Whoever has marked text is about to copy it.
      const selection = getSelection();
      // So is whoever has begun to write.
      const writing = [...part.querySelectorAll("form input, form textarea")].some((f) => f.value && !("who" in f.dataset));
      const busy = writing || (!selection.isCollapsed && part.contains(selection.anchorNode));
      if (other && !busy && other.innerHTML !== part.innerHTML) {
        const open = [...part.querySelectorAll("details[open]")].map((d) => d.id);
        part.replaceWith(other);
        for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      }
    }
  } catch (error) {
    failing ??= new Date();
    banner.hidden = false;
    banner.textContent = `This page is old: no answer since ${failing.toLocaleTimeString()} (${error.message}).`;
  }
}

document.addEventListener("click", async (event) => {
  const code = event.target.closest("[data-copy]");
  if (!code || !navigator.clipboard) return;
  await navigator.clipboard.writeText(code.textContent.trim());
  code.classList.add("copied");
  setTimeout(() => code.classList.remove("copied"), 1500);
});
setInterval(refresh, every);
document.addEventListener("visibilitychange", refresh);
