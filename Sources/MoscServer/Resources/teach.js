/** Teaching a concept: pictures in, a name, and the loss while it is learnt. */

import {find, make, field, say, attempt, dataURI} from "./dom.js";
import {run} from "./jobs.js";
import * as api from "./api.js";
import {modelOf, whenOffered} from "./settings.js";

const panel = find("panel-teach");
let pictures = [], losses = [], running = null;

function drawPictures() {
  find("teach-pictures").replaceChildren(...pictures.map((picture, index) => make("figure", {},
    make("img", {className: "thumb", src: picture.image, alt: `picture ${index + 1}`}),
    make("input", {className: "wide", value: picture.caption, "aria-label": `caption of picture ${index + 1}`, onchange: event => { picture.caption = event.target.value; }}),
    make("button", {type: "button", onclick: () => { pictures.splice(index, 1); drawPictures(); }}, `Remove ${index + 1}`))));
}

async function take(files) {
  for (const file of files) {
    if (file.type.startsWith("image/")) pictures.push({image: await dataURI(file), caption: find("teach-caption").value});
  }
  drawPictures();
}

function drawLoss() {
  const svg = find("teach-loss");
  const most = Math.max(...losses.map(point => point.loss), 1e-6), last = Math.max(...losses.map(point => point.step), 1);
  svg.querySelector("polyline").setAttribute("points", losses.map(point => `${point.step / last * 100},${100 - point.loss / most * 96}`).join(" "));
  svg.setAttribute("aria-label", losses.length ? `loss ${losses.at(-1).loss} at step ${losses.at(-1).step}, at most ${most}` : "no loss yet");
}

function log(text) { find("teach-log").textContent = text; }

const teach = resume => attempt(async () => {
  const number = id => { const value = Number(find(id).value); return value > 0 ? value : undefined; };
  const name = find("teach-name").value.trim();
  const order = {kind: "teach", name, init: find("teach-init").value.trim() || undefined, steps: number("teach-steps"), resume, overwrite: !resume};
  const concept = find("teach-words").value.trim();
  if (concept) order.concept = concept;
  if (pictures.length) order.pictures = pictures;
  if (!resume) losses = [];
  running = await run(order, {
    line: data => {
      if (data.loss !== undefined) { losses.push(data); drawLoss(); } else log(data.message);
    },
    done: data => {
      running = null;
      find("teach-stop").disabled = true;
      log(data.status === "completed" ? `"${name}" is learnt: choose it under "add a concept"` : `${data.status}${data.error ? `: ${data.error}` : "; what was learnt is saved, go on with the same name"}`);
    },
  });
  find("teach-stop").disabled = false;
  say(`teaching ${name}`);
});

export function start() {
  const file = make("input", {type: "file", accept: "image/png,image/jpeg", multiple: true, id: "teach-files", onchange: event => take(event.target.files)});
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.id = "teach-loss";
  for (const [name, value] of [["class", "loss"], ["viewBox", "0 0 100 100"], ["preserveAspectRatio", "none"], ["role", "img"], ["aria-label", "no loss yet"]]) svg.setAttribute(name, value);
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "polyline"));
  panel.append(make("div", {className: "panel"},
    make("h2", {}, "Teach a concept"),
    make("p", {}, "Drop five to fifteen pictures of one thing here, name it, and say what it is a kind of."),
    field("pictures", file),
    make("div", {className: "pictures", id: "teach-pictures"}),
    make("div", {className: "grid"},
      field("name (letters, digits, - and _)", make("input", {id: "teach-name", className: "wide", value: "thing"})),
      field("a kind of", make("input", {id: "teach-init", className: "wide", placeholder: "cat"})),
      field("words in prompts (empty: <name1> <name2>)", make("input", {id: "teach-words", className: "wide"})),
      field("caption of pictures (<TOK> stands for the words)", make("input", {id: "teach-caption", className: "wide", value: "a <TOK>"})),
      field("steps (empty: the model's)", make("input", {id: "teach-steps", type: "number", min: 1, className: "wide"}))),
    make("div", {className: "row"},
      make("button", {type: "button", className: "main", id: "teach-start", onclick: () => teach(false)}, "Teach"),
      make("button", {type: "button", id: "teach-stop", disabled: true, onclick: () => attempt(() => running && api.remove(running.id))}, "Stop"),
      make("button", {type: "button", id: "teach-resume", onclick: () => teach(true)}, "Go on")),
    svg, make("p", {className: "log", id: "teach-log", "aria-live": "polite"})));
  panel.addEventListener("dragover", event => { event.preventDefault(); panel.classList.add("drop"); });
  panel.addEventListener("dragleave", () => panel.classList.remove("drop"));
  panel.addEventListener("drop", event => {
    event.preventDefault();
    panel.classList.remove("drop");
    attempt(() => take(event.dataTransfer.files));
  });
  whenOffered(() => {
    const steps = modelOf(null)?.training_steps;
    if (steps) find("teach-steps").placeholder = String(steps);
  });
}
