/** Regions as an accessible list, and everything about the chosen one. */

import {find, make, field} from "./dom.js";
import {state, chosen, change, commit, observe, announce} from "./history.js";
import {newRegion} from "./scene.js";
import {badges} from "./coverage.js";

const list = find("regions"), editor = find("region");

/** The entries by the ids of their regions: each stays the same element, so that no click is lost while it changes. */
const entries = new Map();

function item(region, index) {
  const isChosen = region.id === state.chosen;
  const notes = [region.locked && "locked", region.hidden && "hidden", region.solo && "alone"].filter(Boolean);
  const title = `${index + 1} ${region.name}: ${region.prompt || "no prompt yet"}${notes.length ? ` (${notes.join(", ")})` : ""}`;
  const marks = [...(region.prompt.trim() ? [] : [{text: "no prompt: has no effect", isWarning: true}]), ...badges(region)];
  const element = entries.get(region.id) ?? make("li", {
    id: `region-${region.id}`, role: "option", onclick: () => choose(region.id),
    onfocus: () => { if (region.id !== state.chosen) choose(region.id); },
  });
  entries.set(region.id, element);
  element.tabIndex = isChosen || (!state.chosen && index === 0) ? 0 : -1;
  element.setAttribute("aria-selected", String(isChosen));
  const look = JSON.stringify([title, region.colour, marks]);
  if (element.dataset.look === look) return element;
  element.dataset.look = look;
  const swatch = make("span", {className: "swatch", "aria-hidden": "true"});
  swatch.style.background = region.colour;
  element.replaceChildren(swatch, title, make("div", {}, ...marks.map(mark => make("span", {className: mark.isWarning ? "badge warn" : "badge", title: mark.title ?? ""}, mark.text))));
  return element;
}

export function choose(id) {
  state.chosen = id;
  announce("choice");
}

function drawList() {
  const hadFocus = list.contains(document.activeElement);
  const items = state.scene.regions.map(item);
  if (items.length !== list.children.length || items.some((element, index) => list.children[index] !== element)) list.replaceChildren(...items);
  for (const id of entries.keys()) if (!state.scene.regions.some(region => region.id === id)) entries.delete(id);
  if (hadFocus && !list.contains(document.activeElement)) find(`region-${state.chosen}`)?.focus();
}

list.addEventListener("keydown", event => {
  const {regions} = state.scene;
  const index = regions.findIndex(region => region.id === state.chosen);
  const next = {ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: regions.length - 1}[event.key];
  // Alt moves the region itself.
  if (next === undefined || !regions[next]) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.altKey && event.key.startsWith("Arrow")) return moveChosen(next - index);
  choose(regions[next].id);
  find(`region-${regions[next].id}`)?.focus();
});

function moveChosen(by) {
  change(scene => {
    const index = scene.regions.findIndex(region => region.id === state.chosen);
    const [region] = scene.regions.splice(index, 1);
    scene.regions.splice(index + by, 0, region);
  });
}

export function addRegion() {
  change(scene => {
    const region = newRegion(scene, [.25, .25, .75, .75]);
    scene.regions.push(region);
    state.chosen = region.id;
  });
  announce("choice");
}

export function removeChosen() {
  const region = chosen();
  if (!region || region.locked) return;
  change(scene => {
    const index = scene.regions.indexOf(region);
    scene.regions.splice(index, 1);
    state.chosen = scene.regions[Math.min(index, scene.regions.length - 1)]?.id ?? null;
  });
  announce("choice");
}

export function duplicateChosen() {
  const region = chosen();
  if (!region) return;
  change(scene => {
    const copy = {...structuredClone(region), id: scene.next++, name: `${region.name} copy`, locked: false};
    if (copy.box) {
      const shift = Math.min(8 / scene.width, 1 - copy.box[2]);
      copy.box = [copy.box[0] + shift, copy.box[1], copy.box[2] + shift, copy.box[3]];
    }
    scene.regions.splice(scene.regions.indexOf(region) + 1, 0, copy);
    state.chosen = copy.id;
  });
  announce("choice");
}

/** Moves or resizes the box of the chosen region by pixels. */
export function nudge(dx, dy, resizes) {
  const region = chosen();
  if (!region?.box || region.locked) return;
  change(scene => {
    const [du, dv] = [dx / scene.width, dy / scene.height];
    const [l, t, r, b] = region.box;
    if (resizes) {
      region.box = [l, t, Math.min(1, Math.max(l + 8 / scene.width, r + du)), Math.min(1, Math.max(t + 8 / scene.height, b + dv))];
    } else {
      const u = Math.min(1 - r, Math.max(-l, du)), v = Math.min(1 - b, Math.max(-t, dv));
      region.box = [l + u, t + v, r + u, b + v];
    }
  });
}

// The editor

/** What brings the controls up to date with the chosen region. */
let refreshers = [];

/** A control of the chosen region: `read` gives what it shows, `take` what it changes, and the past gets it. */
function bind(control, read, take) {
  const property = control.type === "checkbox" ? "checked" : "value";
  refreshers.push(region => {
    const value = read(region);
    // What is being typed is not replaced under the hands.
    if (control !== document.activeElement && control[property] !== value) control[property] = value;
  });
  control.addEventListener("change", () => {
    const region = chosen();
    if (region) take(region, control[property]);
    commit();
  });
  return control;
}

function text(name, label, rows = 2) {
  const area = make("textarea", {rows, id: `region-${name}`, className: "wide", spellcheck: false});
  // The list shows the prompt while it is typed; the past gets it whole.
  area.addEventListener("input", () => { const region = chosen(); if (region) region[name] = area.value; drawList(); });
  return field(label, bind(area, region => region[name], (region, value) => { region[name] = value; }));
}

function number(name, label, min, max, step) {
  const control = make("input", {type: "number", min, max, step, className: "wide", id: `region-${name}`});
  return field(label, bind(control, region => String(region[name]), (region, value) => { region[name] = Math.min(max, Math.max(min, Number(value) || 0)); }));
}

function flag(name, label) {
  const control = make("input", {type: "checkbox", id: `region-${name}`});
  return make("label", {className: "inline"}, bind(control, region => region[name], (region, value) => { region[name] = value; }), make("span", {}, label));
}

function line(name, label, properties = {}) {
  const control = make("input", {className: "wide", id: `region-${name}`, ...properties});
  return field(label, bind(control, region => region[name] ?? "", (region, value) => { region[name] = value.trim(); }));
}

/** A side of the box in pixels. */
function side(name, index) {
  const size = () => index % 2 ? state.scene.height : state.scene.width;
  const control = make("input", {type: "number", min: 0, step: 8, className: "wide", id: `region-${name}`});
  refreshers.push(() => { control.max = size(); });
  return field(`${name}, px`, bind(control, region => String(Math.round(region.box[index] * size())), (region, value) => {
    const box = [...region.box];
    box[index] = Math.min(1, Math.max(0, Number(value) / size()));
    if (box[0] < box[2] && box[1] < box[3]) region.box = box;
  }));
}

function buildEditor(region) {
  refreshers = [];
  if (!region) {
    editor.replaceChildren(make("div", {className: "row"}, make("button", {type: "button", id: "add-region", onclick: addRegion}, "Add a region")));
    return;
  }
  const remove = make("button", {type: "button", onclick: removeChosen}, "Delete");
  refreshers.push(region => { remove.disabled = region.locked; });
  const name = make("input", {className: "wide", id: "region-name"});
  const colour = make("input", {type: "color", className: "wide", id: "region-colour"});
  editor.replaceChildren(
    make("div", {className: "row", role: "toolbar", "aria-label": "Chosen region"},
      make("button", {type: "button", id: "add-region", onclick: addRegion}, "Add"),
      make("button", {type: "button", onclick: duplicateChosen}, "Duplicate"), remove),
    field("name", bind(name, region => region.name, (region, value) => { region.name = value || region.name; })),
    text("prompt", "prompt here"), text("negative", "not here (empty: as the picture's)", 1),
    make("div", {className: "grid"}, ...(region.box ? ["left", "top", "right", "bottom"].map(side) : []),
      number("weight", "weight", 0, 100, .05), region.box ? number("feather", "feather, px", 0, 512, 1) : null,
      number("from", "acts from (0–1)", 0, 1, .05), number("to", "to (0–1)", 0, 1, .05),
      line("t2i", "T2I strengths", {placeholder: "as the picture's"}),
      line("lora", "concepts here (name:strength)", {placeholder: "the picture's", list: "concepts"}),
      field("colour", bind(colour, region => region.colour, (region, value) => { region.colour = value; }))),
    make("div", {className: "row"}, flag("locked", "locked"), flag("hidden", "hidden"), flag("solo", "only this")));
}

let shown = null;
observe(() => {
  drawList();
  const region = chosen();
  // Only another region, or another kind of one, needs other controls: those that are there keep focus and clicks.
  const key = region ? `${region.id} ${Boolean(region.box)}` : "none";
  if (shown !== key) buildEditor(region);
  shown = key;
  if (region) for (const refresh of refreshers) refresh(region);
});
