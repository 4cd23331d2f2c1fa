/** What the whole picture is drawn with. */

import * as api from "./api.js";
import {find, make, field, attempt} from "./dom.js";
import {state, change, observe} from "./history.js";
import {askAgain} from "./coverage.js";
import {reset} from "./view.js";

const form = find("settings");
export let offers = {models: [], loras: [], embeddings: [], samplers: [], schedulers: []};
const listeners = new Set();

/** Calls a function when there is something new to choose from. */
export function whenOffered(listener) { listeners.add(listener); }

export const modelOf = name => offers.models.find(model => model.name === name) ?? offers.models.find(model => model.chosen);

/** Asks the server what there is. */
export const refresh = () => attempt(async () => {
  offers = await api.catalog();
  draw();
  for (const listener of listeners) listener();
});

const controls = {};

function bind(name, control, take = value => value) {
  controls[name] = control;
  control.id = `set-${name}`;
  control.addEventListener("change", () => change(scene => { scene[name] = take(control.value); }));
  return control;
}

const limited = (min, max) => value => Math.min(max, Math.max(min, Math.round(Number(value)) || min));
const side = value => Math.max(8, Math.min(4096, Math.round((Number(value) || 64) / 8) * 8));

function options(select, names, first) {
  // A list that is the same stays, and with it what is chosen.
  const text = JSON.stringify([names, first]);
  if (select.dataset.offers === text) return;
  select.dataset.offers = text;
  select.replaceChildren(...(first ? [make("option", {value: ""}, first)] : []), ...names.map(name => make("option", {value: name}, name)));
}

/** Sizes of the model's own area in other shapes. */
function presets() {
  const base = modelOf(state.scene.model)?.size ?? 512;
  return [["square", 1, 1], ["portrait 2:3", 2, 3], ["landscape 3:2", 3, 2], ["wide 2:1", 2, 1], ["tall 1:2", 1, 2]].map(([name, w, h]) => {
    const unit = base * Math.sqrt(1 / (w * h));
    return {name, width: side(w * unit), height: side(h * unit)};
  });
}

function build(actions) {
  const shape = make("select", {id: "set-shape", className: "wide"});
  shape.addEventListener("change", () => {
    const found = presets()[shape.selectedIndex - 1];
    if (found) change(scene => { [scene.width, scene.height] = [found.width, found.height]; });
    reset(state.scene);
  });
  controls.shape = shape;
  const lora = make("select", {id: "set-lora", className: "wide"});
  lora.addEventListener("change", () => {
    const found = offers.loras[lora.selectedIndex - 1];
    if (found) change(scene => { scene.prompt = `${scene.prompt} ${found.words.join(" ")}<lora:${found.stem}:1>`.trim(); });
    lora.selectedIndex = 0;
  });
  controls.lora = lora;
  const leaks = make("input", {type: "checkbox", id: "set-leaks"});
  leaks.addEventListener("change", () => change(scene => { scene.leaks = leaks.checked; }));
  controls.leaks = leaks;
  form.replaceChildren(
    make("h2", {}, "Picture"),
    field("model", bind("model", make("select", {className: "wide"}), value => value || null)),
    field("prompt", bind("prompt", make("textarea", {rows: 4, className: "wide", spellcheck: false}))),
    field("negative prompt", bind("negative", make("textarea", {rows: 2, className: "wide", spellcheck: false}))),
    make("div", {className: "row"},
      make("button", {type: "submit", className: "main", id: "run"}, "Draw"),
      make("button", {type: "button", id: "run-both", title: "The same seed with and without regions, side by side", onclick: actions.compare}, "With and without regions")),
    make("div", {id: "initial"}),
    field("add a concept", lora),
    make("div", {className: "grid"},
      field("width", bind("width", make("input", {type: "number", min: 8, max: 4096, step: 8, className: "wide"}), side)),
      field("height", bind("height", make("input", {type: "number", min: 8, max: 4096, step: 8, className: "wide"}), side)),
      field("shape", shape),
      field("steps", bind("steps", make("input", {type: "number", min: 1, max: 1000, className: "wide"}), limited(1, 1000))),
      field("guidance", bind("guidance", make("input", {type: "number", step: .5, className: "wide", placeholder: "the model's"}), value => value === "" ? null : Number(value))),
      field("seed (-1: random)", bind("seed", make("input", {inputMode: "numeric", className: "wide"}), value => /^\d+$/.test(value.trim()) ? value.trim() : "-1")),
      field("sampler", bind("sampler", make("select", {className: "wide"}))),
      field("noise levels", bind("scheduler", make("select", {className: "wide"}))),
      field("pictures", bind("count", make("input", {type: "number", min: 1, max: 64, className: "wide"}), limited(1, 64)))),
    make("details", {}, make("summary", {}, "More"), make("div", {className: "grid"},
      field("clip skip", bind("clipSkip", make("input", {type: "number", min: 1, max: 12, className: "wide"}), limited(1, 12))),
      field("larger second pass, ×", bind("hires", make("input", {type: "number", min: 1, max: 8, step: .25, className: "wide", placeholder: "none"}), value => Number(value) > 1 ? {...(state.scene.hires ?? {}), scale: Number(value)} : null)),
      field("edges go on", bind("seamless", make("select", {className: "wide"}))),
      field("preview every … steps", bind("previewEvery", make("input", {type: "number", min: 0, max: 1000, className: "wide"}), limited(0, 1000))))),
    make("label", {className: "inline"}, leaks, make("span", {}, "measure how words leak out of their regions")),
    make("div", {className: "row"},
      make("button", {type: "button", id: "copy-command", onclick: actions.copyCommand}, "Copy as command line"),
      make("button", {type: "button", id: "export-scene", onclick: actions.exportScene}, "Export regions"),
      make("button", {type: "button", id: "import-scene", onclick: actions.importScene}, "Import")),
    make("details", {id: "words-box"}, make("summary", {}, "Words that the model knows"), make("p", {id: "words"})), make("datalist", {id: "concepts"}));
  form.addEventListener("submit", event => { event.preventDefault(); actions.run(); });
}

function draw() {
  if (!controls.model) return;
  const {scene} = state;
  options(controls.model, offers.models.map(model => model.name));
  options(controls.sampler, offers.samplers);
  options(controls.seamless, ["both", "x", "y"], "no");
  options(controls.scheduler, offers.schedulers, "the sampler's own");
  options(controls.lora, offers.loras.map(lora => lora.stem), offers.loras.length ? "choose …" : "none here yet");
  options(controls.shape, presets().map(preset => preset.name), "choose …");
  controls.lora.selectedIndex = controls.shape.selectedIndex = 0;
  for (const [name, control] of Object.entries(controls)) {
    if (name === "leaks") { control.checked = scene.leaks; continue; }
    if (["shape", "lora"].includes(name) || (control === document.activeElement && control.tagName !== "SELECT")) continue;
    control.value = name === "hires" ? scene.hires?.scale ?? "" : scene[name] ?? (name === "model" ? modelOf(null)?.name ?? "" : "");
  }
  options(find("concepts"), offers.loras.map(lora => lora.stem));
  const words = modelOf(scene.model)?.words;
  find("words").replaceChildren(...Object.entries(words ?? {}).map(([name, list]) => make("span", {}, `${name}: ${list.join(", ")}`)));
  find("words-box").hidden = !words;
}

/** Builds the form. */
export function start(actions) {
  build(actions);
  draw();
  observe(kind => { if (kind === "scene") draw(); });
  return refresh().then(askAgain);
}
