/** The picture that pictures begin with, if there is one. */

import * as api from "./api.js";
import {find, make, field, dataURI, say} from "./dom.js";
import {state, change, observe} from "./history.js";

/** Pictures of files by the names that scenes have for them; those of the gallery have their ids. */
const files = new Map();

const source = id => files.get(id) ?? api.picture(id);

/** Begins with a picture of the gallery. */
export function beginWith(id) {
  change(scene => { scene.initial = {id, strength: scene.initial?.strength ?? .6, keepOutside: scene.initial?.keepOutside ?? false}; });
  say("pictures begin with this one now");
}

/** Begins with a picture of a file, which another visit does not find. */
export async function beginWithFile(blob) {
  const id = `file-${files.size + 1}`;
  files.set(id, await dataURI(blob));
  beginWith(id);
}

/** The fields of an order for it. */
export async function fields(scene) {
  if (!scene.initial) return {};
  const {id, strength, keepOutside} = scene.initial;
  const response = await fetch(source(id));
  if (!response.ok) throw new Error("the picture to begin with is gone: choose another");
  const result = {init_image: await dataURI(await response.blob()), strength};
  if (keepOutside) result.keep_outside = true;
  return result;
}

function build(box) {
  const strength = make("input", {type: "range", min: .05, max: 1, step: .05, className: "wide", id: "initial-strength"});
  strength.addEventListener("change", () => change(scene => { scene.initial.strength = Number(strength.value); }));
  const keep = make("input", {type: "checkbox", id: "initial-keep"});
  keep.addEventListener("change", () => change(scene => { scene.initial.keepOutside = keep.checked; }));
  const label = field("", strength);
  box.replaceChildren(
    make("img", {className: "thumb", alt: "the picture to begin with"}), label,
    make("label", {className: "inline"}, keep, make("span", {}, "only inside of the regions")),
    make("button", {type: "button", id: "initial-remove", onclick: () => change(scene => { scene.initial = null; })}, "Begin with noise"));
}

let shown = null;
function draw(box) {
  const {initial} = state.scene;
  if (!initial) {
    shown = null;
    return box.replaceChildren();
  }
  if (!shown) build(box);
  if (shown !== initial.id) box.querySelector("img").src = source(initial.id);
  shown = initial.id;
  box.querySelector("label > span").textContent = `drawn anew: ${Math.round(initial.strength * 100)} %`;
  find("initial-strength").value = initial.strength;
  find("initial-keep").checked = initial.keepOutside;
}

/** Shows it in its place of the form. */
export function start() {
  const box = find("initial");
  observe(kind => { if (kind === "scene") draw(box); });
}
