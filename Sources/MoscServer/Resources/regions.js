/** Regions as an accessible list, and everything about the chosen one. */

import {find, make, field} from "./dom.js";
import {state, chosen, change, commit, observe, announce} from "./history.js";
import {newRegion} from "./scene.js";
import {badges} from "./coverage.js";

const list = find("regions"), editor = find("region");

function item(region, index) {
  const isChosen = region.id === state.chosen;
  const swatch = make("span", {className: "swatch", "aria-hidden": "true"});
  swatch.style.background = region.colour;
  const notes = [region.locked && "locked", region.hidden && "hidden", region.solo && "alone"].filter(Boolean);
  const element = make("li", {
    id: `region-${region.id}`, role: "option", tabIndex: isChosen || (!state.chosen && index === 0) ? 0 : -1,
    "aria-selected": String(isChosen), onclick: () => choose(region.id), onfocus: () => { if (region.id !== state.chosen) choose(region.id); },
  }, swatch, `${index + 1} ${region.name}: ${region.prompt || "no prompt yet"}`, notes.length ? ` (${notes.join(", ")})` : "");
  if (!region.prompt.trim()) element.append(make("span", {className: "badge warn"}, "no prompt: has no effect"));
  for (const badge of badges(region)) {
    element.append(make("span", {className: badge.isWarning ? "badge warn" : "badge", title: badge.title}, badge.text));
  }
  return element;
}

export function choose(id) {
  state.chosen = id;
  announce("choice");
}

function drawList() {
  const hadFocus = list.contains(document.activeElement);
  list.replaceChildren(...state.scene.regions.map(item));
  if (hadFocus) find(`region-${state.chosen}`)?.focus();
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

function drawEditor() {
  const region = chosen();
  if (!region) {
    editor.replaceChildren(make("div", {className: "row"}, make("button", {type: "button", id: "add-region", onclick: addRegion}, "Add a region")));
    return;
  }
  const bind = (control, take) => {
    control.addEventListener("change", () => { take(control); commit(); });
    return control;
  };
  const text = (name, label, rows = 2) => {
    const area = make("textarea", {rows, value: region[name], id: `region-${name}`, className: "wide", spellcheck: false});
    // The list shows the prompt while it is typed; the past gets it whole.
    area.addEventListener("input", () => { region[name] = area.value; drawList(); });
    return field(label, bind(area, control => { region[name] = control.value; }));
  };
  const number = (name, label, min, max, step) => field(label, bind(
    make("input", {type: "number", value: region[name], min, max, step, className: "wide", id: `region-${name}`}),
    control => { region[name] = Math.min(max, Math.max(min, Number(control.value) || 0)); }));
  const flag = (name, label) => make("label", {className: "inline"}, bind(
    make("input", {type: "checkbox", checked: region[name], id: `region-${name}`}), control => { region[name] = control.checked; }), make("span", {}, label));
  const sides = region.box ? ["left", "top", "right", "bottom"].map((side, index) => {
    const size = index % 2 ? state.scene.height : state.scene.width;
    return field(`${side}, px`, bind(
      make("input", {type: "number", min: 0, max: size, step: 8, value: Math.round(region.box[index] * size), className: "wide", id: `region-${side}`}),
      control => {
        const box = [...region.box];
        box[index] = Math.min(1, Math.max(0, Number(control.value) / size));
        if (box[0] < box[2] && box[1] < box[3]) region.box = box;
      }));
  }) : [];
  editor.replaceChildren(
    make("div", {className: "row", role: "toolbar", "aria-label": "Chosen region"},
      make("button", {type: "button", id: "add-region", onclick: addRegion}, "Add"),
      make("button", {type: "button", onclick: duplicateChosen}, "Duplicate"),
      make("button", {type: "button", onclick: removeChosen, disabled: region.locked}, "Delete")),
    field("name", bind(make("input", {value: region.name, className: "wide", id: "region-name"}), control => { region.name = control.value || region.name; })),
    text("prompt", "prompt here"), text("negative", "not here (empty: as the picture's)", 1),
    make("div", {className: "grid"}, ...sides,
      number("weight", "weight", 0, 100, .05), region.box ? number("feather", "feather, px", 0, 512, 1) : null,
      number("from", "acts from (0–1)", 0, 1, .05), number("to", "to (0–1)", 0, 1, .05),
      field("T2I strengths", bind(make("input", {value: region.t2i, className: "wide", placeholder: "as the picture's", id: "region-t2i"}), control => { region.t2i = control.value.trim(); })),
      field("concepts here (name:strength)", bind(make("input", {value: region.lora ?? "", className: "wide", placeholder: "the picture's", id: "region-lora", list: "concepts"}), control => { region.lora = control.value.trim(); })),
      field("colour", bind(make("input", {type: "color", value: region.colour, className: "wide", id: "region-colour"}), control => { region.colour = control.value; }))),
    make("div", {className: "row"}, flag("locked", "locked"), flag("hidden", "hidden"), flag("solo", "only this")));
}

let shown = null;
observe(kind => {
  drawList();
  const isTyping = editor.contains(document.activeElement) && shown === state.chosen;
  // A field that is being used must not be replaced under the hands.
  if (kind === "choice" || (kind === "scene" && !isTyping) || shown !== state.chosen) {
    shown = state.chosen;
    drawEditor();
  }
});
