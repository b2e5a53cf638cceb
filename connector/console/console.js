// Brings the page up to date every two seconds, and opens dead letters in a dialog. Without it the page says the same and
// can be reloaded. HTML comes parsed, as a document: no text is ever made into HTML here.
"use strict";

const every = 2000;
const $ = (id) => document.getElementById(id);

function ask(method, url) {
  return new Promise((resolve, reject) => {
    const r = new XMLHttpRequest();
    r.open(method, url);
    r.responseType = "document";
    r.timeout = method === "GET" ? 30000 : 240000;
    r.onload = () => (r.response ? resolve(r.response) : reject(new Error("an answer that is no page (" + r.status + ")")));
    r.onerror = () => reject(new Error("no answer"));
    r.ontimeout = () => reject(new Error("no answer in time"));
    r.send();
  });
}

// sync makes the element old say what fresh says, and leaves what did not change as it is: the focus stays where it is.
function sync(old, fresh) {
  for (const a of [...old.attributes]) if (!fresh.hasAttribute(a.name)) old.removeAttribute(a.name);
  for (const a of fresh.attributes) if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
  const known = new Map([...old.children].filter((c) => c.id).map((c) => [c.id, c]));
  let at = old.firstChild;
  for (const f of [...fresh.childNodes]) {
    let o = f.id ? known.get(f.id) : at && !at.id && at.nodeName === f.nodeName ? at : null;
    if (!o) {
      old.insertBefore(document.importNode(f, true), at);
      continue;
    }
    if (o === at) at = at.nextSibling;
    else old.insertBefore(o, at);
    if (o.nodeType !== Node.ELEMENT_NODE) {
      if (o.data !== f.data) o.data = f.data;
    } else if (!o.isEqualNode(f)) sync(o, f);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

let timer = 0;
async function live() {
  clearTimeout(timer);
  if (document.hidden) return void ($("pace").textContent = "paused");
  try {
    const fresh = (await ask("GET", "/console/state")).getElementById("live");
    if (!fresh) throw new Error("not let in any more: reload the page");
    sync($("live"), fresh);
    $("pace").textContent = "live, as of " + fresh.dataset.at;
    $("pace").classList.remove("bad");
  } catch (e) {
    $("pace").textContent = "not live: " + e.message + "; asked again";
    $("pace").classList.add("bad");
  }
  clearTimeout(timer);
  timer = setTimeout(live, every);
}

// show puts what an answer holds into the dialog, or, where it is the page again, closes that and tells the outcome.
function show(answer) {
  const dialog = $("dialog");
  const letter = answer.getElementById("letter");
  if (letter) {
    dialog.replaceChildren(...[...letter.childNodes].map((n) => document.importNode(n, true)));
    if (!dialog.open) dialog.showModal();
    (dialog.querySelector("[autofocus]") || dialog).focus();
    return;
  }
  dialog.close();
  $("said").textContent = answer.getElementById("said")?.textContent || "";
  $("dead-title").focus(); // the letter that had the focus is about to go
  live();
}

async function open(method, url) {
  const dialog = $("dialog");
  for (const b of dialog.querySelectorAll("button")) b.disabled = true;
  try {
    show(await ask(method, url));
  } catch (e) {
    $("said").textContent = "Not done: " + e.message;
    for (const b of dialog.querySelectorAll("button")) b.disabled = false;
  }
}

document.addEventListener("click", (e) => {
  const a = e.target.closest("a[data-dialog]");
  if (!a || e.ctrlKey || e.metaKey || e.shiftKey) return;
  e.preventDefault();
  $("said").textContent = "";
  open("GET", a.href);
});

document.addEventListener("submit", (e) => {
  const f = e.target;
  if (f.matches("[data-close]")) {
    e.preventDefault();
    $("dialog").close();
  }
  if (!f.matches("[data-dialog]")) return;
  e.preventDefault();
  const url = new URL(f.action);
  if (e.submitter?.name) url.searchParams.set(e.submitter.name, e.submitter.value);
  open(f.method.toUpperCase(), url.href);
});

document.addEventListener("visibilitychange", live);
history.replaceState(null, "", location.pathname + location.hash); // a reload doesn't tell the outcome again
live();
