/** Scenes that come and go: files of regions, command lines, pictures that tell how they were drawn. */

import * as api from "./api.js";
import {find, make, say, attempt, dataURI} from "./dom.js";
import {state, replace, change} from "./history.js";
import {activeRegions, exported, imported, order, restored} from "./scene.js";
import {show} from "./canvas.js";
import {whenRestored} from "./gallery.js";
import {beginWithFile} from "./initial.js";

function save(name, text) {
  const link = make("a", {href: URL.createObjectURL(new Blob([text], {type: "application/json"})), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Saves the regions as a file for `--regions`. */
export function exportScene() {
  save("scene.json", JSON.stringify({regions: activeRegions(state.scene).map(exported)}, null, 1));
}

/** Asks for a file of regions. */
export function importScene() {
  const input = make("input", {type: "file", accept: ".json,.png,.jpg,.jpeg"});
  input.addEventListener("change", () => { if (input.files[0]) take(input.files[0]); });
  input.click();
}

/** Copies the command that draws the same bytes. */
export const copyCommand = () => attempt(async () => {
  const found = await api.commandLine(order(state.scene));
  if (found.scene) save("scene.json", JSON.stringify({regions: found.scene}, null, 1));
  try {
    await navigator.clipboard.writeText(found.command);
    say(`copied: ${found.command}`);
  } catch {
    // Without permission it can be read off.
    say(found.command);
  }
});

function noteUnknown(unknown) {
  return unknown.length ? `; not taken: ${[...new Set(unknown)].join(", ")}` : "";
}

/** Takes a file that was dropped or chosen. */
export const take = file => attempt(async () => {
  if (file.type.startsWith("image/") || /\.(png|jpe?g)$/i.test(file.name ?? "")) return takePicture(file);
  const value = JSON.parse(await file.text());
  const items = Array.isArray(value) ? value : value.regions;
  if (!Array.isArray(items)) throw new Error("expected a list of regions, or an object with 'regions'");
  const unknown = [];
  change(scene => {
    for (const item of items) {
      const found = imported(scene, item);
      scene.regions.push(found.region);
      unknown.push(...found.unknown);
    }
  });
  say(`${items.length} regions taken${noteUnknown(unknown)}`);
});

async function takePicture(blob) {
  const uri = await dataURI(blob);
  let found;
  try {
    found = await api.settingsOfPicture(uri);
  } catch (error) {
    // A picture of elsewhere says nothing of itself, but may be one to begin with.
    show(uri);
    await beginWithFile(blob);
    say(`pictures begin with this one now (${error.message})`);
    return;
  }
  const {scene, unknown} = restored(found.scene);
  replace(scene);
  show(uri);
  say([`as ${found.origin} drew it${noteUnknown(unknown)}`, ...found.remarks].join("; "));
}

/** Lets pictures and scenes be dropped anywhere on the drawing page. */
export function start() {
  const target = find("panel-draw");
  target.addEventListener("dragover", event => {
    event.preventDefault();
    target.classList.add("drop");
  });
  target.addEventListener("dragleave", () => target.classList.remove("drop"));
  target.addEventListener("drop", event => {
    event.preventDefault();
    target.classList.remove("drop");
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", event => {
    const file = [...(event.clipboardData?.files ?? [])].find(file => file.type.startsWith("image/"));
    if (file && !target.hidden) take(file);
  });
  whenRestored(takePicture);
}
