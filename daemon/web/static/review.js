// Labelling with the keyboard, without a new page for each row. Without it the pages are plain forms.
"use strict";

const inField = (element) => element.matches("input:not([type=checkbox]), textarea, select");
const draftOf = (field) => `draft ${location.pathname} ${field.form.dataset.row} ${field.name}`;

function keepDrafts(root) {
  for (const field of root.querySelectorAll("[data-draft]")) {
    const kept = sessionStorage.getItem(draftOf(field));
    if (kept !== null) field.value = kept;
    field.addEventListener("input", () => sessionStorage.setItem(draftOf(field), field.value));
  }
}

function dropDrafts(form) {
  for (const field of form.querySelectorAll("[data-draft]")) sessionStorage.removeItem(draftOf(field));
}

function findLabels(root) {
  const field = root.querySelector("[data-filter]");
  if (!field) return;
  const labels = [...root.querySelectorAll(".labels button, .labels .tick")];
  const fits = (label) => label.textContent.toLowerCase().includes(field.value.trim().toLowerCase());
  const sift = () => { for (const label of labels) label.hidden = !fits(label); };
  field.addEventListener("input", sift);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    const first = labels.find((label) => !label.hidden);
    if (!field.value.trim() || !first) return;
    first.click();
    field.value = ""; // where several are ticked, for the next one
    sift();
  });
}

function show(html, address) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const main = document.querySelector("main");
  main.replaceChildren(...fresh.querySelector("main").childNodes); // made by our server, which escapes every text
  document.title = fresh.title;
  if (address !== location.href) history.replaceState(null, "", address);
  prepare(main);
  scrollTo(0, 0);
  (main.querySelector("[role=alert]") || main.querySelector("h2[tabindex], h1") || main).focus({ preventScroll: true });
}

// What cannot be saved stays on the screen, and says so.
function tell(text) {
  const place = document.getElementById("offline");
  place.textContent = text;
  place.hidden = !text;
}

async function send(form, button) {
  const data = new URLSearchParams(new FormData(form));
  if (button && button.name) data.append(button.name, button.value);
  form.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body: data, headers: { Accept: "text/html" } });
    if (!answer.ok && answer.redirected) { // it is saved: the page after it is what fails, and says why
      dropDrafts(form);
      location.assign(answer.url);
      return;
    }
    const html = await answer.text();
    const main = new DOMParser().parseFromString(html, "text/html").querySelector("main");
    if (!answer.ok && !(main && main.querySelector("form[data-swap][data-row]"))) {
      const said = main && main.querySelector("p");
      tell(`Not saved: ${said ? said.textContent : answer.status}`);
      return;
    }
    if (answer.ok) dropDrafts(form);
    tell("");
    show(html, answer.redirected ? answer.url : location.href);
  } catch {
    tell("Not saved: the service does not answer. Press again in a moment.");
  } finally {
    form.removeAttribute("aria-busy");
  }
}

function prepare(root) {
  if (typeof showTimes === "function") showTimes(root);
  keepDrafts(root);
  findLabels(root);
  const again = root.querySelector("[data-again]");
  if (again) setTimeout(lookAgain, Number(again.dataset.again));
  const moving = root.querySelector("[data-refresh]");
  if (moving) setTimeout(follow, Number(moving.dataset.refresh));
}

// A page with something under way follows it, unless somebody types, or reads what they opened.
async function follow() {
  const here = document.activeElement || document.body;
  if (!inField(here) && !document.querySelector("main details[open]")) {
    await loadAgain().catch(() => {});
    prepare(document.querySelector("main"));
  } else setTimeout(follow, 3000);
}

async function lookAgain() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const html = await answer.text();
    if (answer.status === 202) setTimeout(lookAgain, 1500);
    else if (answer.ok && answer.url === location.href) location.reload(); // with the styles it needs
    else location.assign(answer.url);
  } catch {
    setTimeout(lookAgain, 3000);
  }
}

addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.hasAttribute("data-swap") || form.hasAttribute("aria-busy")) {
    if (form.hasAttribute("aria-busy")) event.preventDefault();
    return;
  }
  event.preventDefault();
  send(form, event.submitter);
});

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const here = document.activeElement || document.body;
  if (inField(here)) {
    if (event.key === "Escape") here.blur();
    return;
  }
  if (event.key === "Enter" && here.matches("a, button, summary")) return;
  if (event.key === "c" || event.key === "/") {
    const field = document.querySelector(event.key === "c" ? "[data-focus=c]" : "[data-filter]");
    if (!field) return;
    event.preventDefault();
    field.focus();
    return;
  }
  const button = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key);
  if (!button) return;
  event.preventDefault();
  button.click();
});

prepare(document);
