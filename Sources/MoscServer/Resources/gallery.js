/** Pictures that were drawn, and two of them under a slider. */

import * as api from "./api.js";
import {find, make, attempt, say} from "./dom.js";
import {show} from "./canvas.js";

const list = find("gallery"), compare = find("compare");
const shown = new Map();
let marked = null;
const most = 200;

/** Puts a picture in front. */
export function addToGallery(picture, job) {
  if (shown.has(picture.id)) return;
  const regions = job.request?.regions?.length ?? 0;
  const title = `seed ${picture.seed}, ${picture.width}×${picture.height}${regions ? `, ${regions} regions` : ""}: ${job.request?.prompt ?? ""}`;
  const image = make("img", {src: picture.url, alt: title, loading: "lazy", width: picture.width, height: picture.height, draggable: true});
  const button = make("button", {type: "button", title: `${title}\nclick: show; Shift+click or C: compare with the one before`, onclick: event => choose(picture.id, event.shiftKey)}, image);
  button.addEventListener("keydown", event => { if (event.key.toLowerCase() === "c") choose(picture.id, true); });
  const item = make("li", {id: `picture-${picture.id}`}, button, make("div", {className: "row"},
    make("button", {type: "button", "aria-label": `Take the settings of ${title}`, onclick: () => restore(picture.id)}, "settings"),
    make("button", {type: "button", className: "begin", "aria-label": `Begin with ${title}`, onclick: () => beginner(picture.id)}, "begin with"),
    make("a", {href: picture.url, download: `${picture.id}.png`, "aria-label": `Save ${title}`}, "save")));
  shown.set(picture.id, {picture, item});
  list.prepend(item);
  if (shown.size > most) {
    const [oldest, entry] = shown.entries().next().value;
    entry.item.remove();
    shown.delete(oldest);
  }
}

let beginner = () => {};
/** Says who begins with a picture. */
export function whenBegun(work) { beginner = work; }

let restorer = () => {};
/** Says who takes up the settings of a picture, given as data. */
export function whenRestored(work) { restorer = work; }

const restore = id => attempt(async () => {
  const response = await fetch(api.picture(id));
  await restorer(await response.blob());
});

function choose(id, compares) {
  if (compares && marked && marked !== id) return compareTwo(marked, id);
  marked = id;
  show(api.picture(id));
  say(`picture ${id}`);
}

/** Shows two pictures over each other with a slider between them. */
export function compareTwo(first, second, names = ["left", "right"]) {
  const over = make("div", {className: "over"}, make("img", {src: api.picture(first), alt: names[0]}));
  const under = make("img", {src: api.picture(second), alt: names[1]});
  const slider = make("input", {type: "range", min: 0, max: 100, value: 50, id: "compare-slider", "aria-label": `Between ${names[0]} and ${names[1]}`});
  const move = () => { over.style.width = `${slider.value}%`; };
  slider.addEventListener("input", move);
  compare.replaceChildren(
    make("div", {className: "row"}, `${names[0]} | ${names[1]}`, make("button", {type: "button", onclick: () => { compare.hidden = true; }}, "Close")),
    make("div", {className: "compare"}, under, over, slider));
  move();
  compare.hidden = false;
  compare.scrollIntoView({block: "nearest"});
}
