// What makes the pages live. Without it they are ordinary pages that load themselves again.
"use strict";

const byPart = (name) => document.querySelector(`[data-part="${CSS.escape(name)}"]`);

function showTimes(root) {
  for (const element of root.querySelectorAll("time:not([title])")) {
    const moment = new Date(element.dateTime);
    element.title = element.textContent;
    element.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
}

// A new version of a part must not take the keyboard's place away.
function fill(element, html) {
  const places = "a, button, summary, input, select, textarea";
  const focused = [...element.querySelectorAll(places)].indexOf(document.activeElement);
  element.innerHTML = html; // made by our server, which escapes every text in it
  showTimes(element);
  if (focused >= 0) (element.querySelectorAll(places)[focused] || element).focus();
}

function update({ parts, lists }) {
  const made = new Map();
  for (const [name, html] of Object.entries(parts)) {
    const element = byPart(name) || document.createElement("li");
    if (!element.dataset.part) {
      element.dataset.part = name;
      made.set(name, element);
    }
    fill(element, html);
  }
  // all are found before any is taken out: a job that is done moves from one list to another
  const wanted = Object.entries(lists).map(([name, keys]) => [
    document.querySelector(`[data-list="${name}"]`),
    keys.map((key) => made.get(key) || byPart(key)).filter(Boolean),
  ]);
  for (const [list, elements] of wanted) {
    if (!list) continue;
    elements.forEach((element, place) => {
      if (list.children[place] !== element) list.insertBefore(element, list.children[place] || null);
    });
    while (list.children.length > elements.length) list.lastElementChild.remove();
  }
}

async function loadAgain() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  fill(document.querySelector("main"), fresh.querySelector("main").innerHTML);
  if (!fresh.body.dataset.events) stopListening();
}

let stopListening = () => {};

function listen() {
  const { events, watch } = document.body.dataset;
  if (!events) return;
  const offline = document.getElementById("offline");
  const source = new EventSource(events);
  stopListening = () => source.close();
  source.onopen = () => { offline.hidden = true; };
  source.onerror = () => { offline.hidden = false; };
  source.addEventListener("parts", (event) => {
    const content = JSON.parse(event.data);
    if (!watch) update(content);
    else if (watch in content.parts) loadAgain();
  });
}

function takeDrops() {
  const form = document.querySelector("form.drop");
  if (!form) return;
  const input = form.querySelector("input[type=file]");
  const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    document.body.classList.remove("dragging");
    input.files = event.dataTransfer.files;
    form.requestSubmit();
  });
}

// What takes a while says so, and is not pressed twice.
function showBusy() {
  addEventListener("submit", (event) => {
    const button = event.submitter || event.target.querySelector("button");
    if (!button || !button.dataset.busy) return;
    setTimeout(() => {
      button.dataset.idle = button.textContent;
      button.textContent = button.dataset.busy;
      button.disabled = true;
    });
  });
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("button[data-idle]")) {
      button.textContent = button.dataset.idle;
      button.disabled = false;
    }
  });
}

showTimes(document);
listen();
takeDrops();
showBusy();
const alertShown = document.querySelector("main [role=alert]");
if (alertShown && alertShown.tabIndex === -1) alertShown.focus();
