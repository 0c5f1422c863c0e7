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

// A notification when a job is over or waits for somebody: what was shown as under way before, and is not now.
const ENDS = { done: "is done", failed: "has failed", waiting: "waits for you" };

function tellOfEnds(parts) {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  for (const [name, html] of Object.entries(parts)) {
    if (!name.startsWith("job-")) continue;
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const chip = fresh.querySelector(".chip");
    const state = chip && [...chip.classList].find((word) => word in ENDS);
    const before = shownStates.get(name);
    shownStates.set(name, chip ? chip.className : "");
    if (!state || before === undefined || before === chip.className) continue;
    const model = fresh.querySelector(".name");
    new Notification(`${model ? model.textContent : "A job"} ${ENDS[state]}`, { tag: name });
  }
}

const shownStates = new Map();

function rememberStates() {
  for (const part of document.querySelectorAll('[data-part^="job-"]')) {
    const chip = part.querySelector(".chip");
    shownStates.set(part.dataset.part, chip ? chip.className : "");
  }
  const { watch } = document.body.dataset;
  const chip = document.querySelector(".summary .chip");
  if (watch && chip) shownStates.set(watch, chip.className);
}

function offerToTell() {
  const button = document.getElementById("tell");
  if (!button || !("Notification" in window) || Notification.permission !== "default") return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await Notification.requestPermission();
    button.hidden = true;
  });
}

// What is typed outlives a reload: kept for this tab until the form has done its work.
function keepTyped() {
  for (const form of document.querySelectorAll("form[data-keep]")) {
    const place = `typed ${location.pathname.replace(/\/(look|quote|try|rerun|start)$/, "")}`;
    const fields = () => [...form.elements].filter((one) => one.name && !["hidden", "file"].includes(one.type));
    const asShown = JSON.stringify(valuesOf(fields()));
    const kept = JSON.parse(sessionStorage.getItem(place) || "null");
    if (kept && kept.asShown === asShown) restore(fields(), kept.values);
    form.addEventListener("input", () => {
      sessionStorage.setItem(place, JSON.stringify({ asShown, values: valuesOf(fields()) }));
    });
    form.addEventListener("submit", () => sessionStorage.setItem("sent", place));
  }
}

// A form has done its work once the page after it is no error: back from one, what was typed is there again.
function forgetSent() {
  const sent = sessionStorage.getItem("sent");
  sessionStorage.removeItem("sent");
  if (sent && !document.querySelector("[data-error]")) sessionStorage.removeItem(sent);
}

const ticks = (one) => one.type === "checkbox" || one.type === "radio";
const valuesOf = (fields) => fields.map((one) => (ticks(one) ? one.checked : one.value));

function restore(fields, values) {
  if (values.length !== fields.length) return;
  fields.forEach((one, place) => {
    if (ticks(one)) one.checked = values[place];
    else one.value = values[place];
  });
}

// What a chosen kind of labels does not need is not shown; without scripts all of it is.
function followKind() {
  const kind = document.getElementById("kind");
  if (!kind) return;
  const show = () => {
    for (const element of document.querySelectorAll("[data-kind]:not(option)")) {
      element.hidden = !element.dataset.kind.split(" ").includes(kind.value);
      for (const field of element.querySelectorAll("input")) field.disabled = element.hidden; // nor is it sent
    }
    document.getElementById("labels").placeholder = kind.selectedOptions[0].dataset.example;
  };
  kind.addEventListener("change", show);
  show();
}

// The values of a column of true labels are labels to start from, as many in a cell as there are.
function offerLabels() {
  const column = document.getElementById("label_column");
  const offer = document.getElementById("offer");
  const labels = document.getElementById("labels");
  const kind = document.getElementById("kind");
  if (!column || !offer || !labels || !kind) return;
  const found = () => (column.selectedOptions[0] && column.selectedOptions[0].dataset) || {};
  const values = () => found().values || "";
  const show = () => {
    const names = values().split("\n").filter(Boolean);
    const isUsed = labels.value.trim() === values() && (!found().separator || kind.value === "multi");
    offer.hidden = !names.length || isUsed;
    const several = found().separator ? `, several in a cell with ${found().separator} between them` : "";
    offer.querySelector("span").textContent = names.slice(0, 8).join(", ") + (names.length > 8 ? " …" : "") + several;
  };
  const use = () => {
    labels.value = values();
    const isOther = found().kind !== "single" || ["multi", "tree"].includes(kind.value);
    if (found().kind && isOther) kind.value = found().kind;
    document.getElementById("label_separator").value = found().separator || "";
    kind.dispatchEvent(new Event("change", { bubbles: true }));
    labels.dispatchEvent(new Event("input", { bubbles: true }));
  };
  column.addEventListener("change", () => {
    if (!labels.value.trim() && values()) use();
    show();
  });
  labels.addEventListener("input", show);
  kind.addEventListener("change", show);
  offer.querySelector("button").addEventListener("click", use);
  show();
}

async function loadAgain() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  fill(document.querySelector("main"), fresh.querySelector("main").innerHTML);
  rememberStates();
  offerToTell(); // both stood in what was replaced
  keepTyped();
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
    tellOfEnds(content.parts);
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
forgetSent();
keepTyped();
followKind();
offerLabels();
rememberStates();
offerToTell();
listen();
takeDrops();
showBusy();
const alertShown = document.querySelector("main [role=alert]");
if (alertShown && alertShown.tabIndex === -1) alertShown.focus();
