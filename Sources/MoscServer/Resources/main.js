/** Puts the page together. */

import {find, make, field, say, attempt} from "./dom.js";
import {state, takeUp, observe, announce, undo, redo, change} from "./history.js";
import {order} from "./scene.js";
import {shows, redraw} from "./canvas.js";
import {brush, wholeMask} from "./brush.js";
import {reset, view, zoom} from "./view.js";
import {summary} from "./coverage.js";
import * as regions from "./regions.js";
import * as settings from "./settings.js";
import * as jobs from "./jobs.js";
import * as keys from "./keys.js";
import * as exchange from "./exchange.js";
import * as teach from "./teach.js";
import * as fuse from "./fuse.js";
import * as initial from "./initial.js";
import {compareTwo, whenBegun} from "./gallery.js";

const run = () => attempt(async () => {
  const job = await jobs.run({...order(state.scene), ...await initial.fields(state.scene)});
  say(`job ${job.id} is ${job.status}`);
});

/** The same seed with and without regions, then one over the other. */
const compare = () => attempt(async () => {
  const seed = state.scene.seed === "-1" ? String(Math.floor(Math.random() * 2 ** 32)) : state.scene.seed;
  const found = {};
  const done = name => data => {
    if (data.status === "completed") found[name] = data.result.pictures[0].id;
    if (found.with && found.without) compareTwo(found.with, found.without, ["with regions", "without regions"]);
  };
  const start = await initial.fields(state.scene);
  await jobs.run({...order(state.scene, {seed}), ...start}, {done: done("with")});
  await jobs.run({...order(state.scene, {seed, withRegions: false}), ...start, keep_outside: undefined}, {done: done("without")});
});

// Tools

function tool(name, label) {
  return make("button", {type: "button", id: `tool-${name}`, onclick: () => { brush.tool = name; announce("tool"); }}, label);
}

function toggle(name, label) {
  return make("button", {type: "button", id: `show-${name}`, onclick: () => { shows[name] = !shows[name]; announce("tool"); }}, label);
}

function tools() {
  const size = make("input", {type: "range", min: 1, max: 256, id: "brush-size", oninput: event => { brush.size = Number(event.target.value); }});
  const opacity = make("input", {type: "range", min: .05, max: 1, step: .05, id: "brush-opacity", oninput: event => { brush.opacity = Number(event.target.value); }});
  const eraser = make("button", {type: "button", id: "eraser", onclick: () => { brush.isErasing = !brush.isErasing; brush.tool = "brush"; announce("tool"); }}, "Eraser");
  const group = (label, ...children) => make("div", {className: "group", role: "group", "aria-label": label}, ...children);
  const mask = (kind, label) => make("button", {type: "button", id: `mask-${kind}`, onclick: () => wholeMask(kind)}, label);
  find("tools").append(
    group("Tool", tool("box", "Boxes"), tool("brush", "Brush"), eraser),
    group("Past", make("button", {type: "button", id: "undo", onclick: undo, title: "Ctrl+Z"}, "Undo"), make("button", {type: "button", id: "redo", onclick: redo, title: "Ctrl+Y"}, "Redo")),
    group("What is shown", toggle("regions", "Regions"), toggle("shares", "Shares"), toggle("grid", "64 px grid")),
    group("Zoom", make("button", {type: "button", "aria-label": "Zoom in", onclick: () => { zoom(1.25, view.width / 2, view.height / 2); redraw(); }}, "+"),
    make("button", {type: "button", "aria-label": "Zoom out", onclick: () => { zoom(.8, view.width / 2, view.height / 2); redraw(); }}, "−"),
    make("button", {type: "button", id: "fit", onclick: () => { reset(state.scene); redraw(); }}, "Fit")),
    group("Mask of the chosen region", mask("fill", "Fill"), mask("clear", "Clear"), mask("invert", "Invert")),
    make("label", {className: "inline"}, make("span", {}, "brush"), size), make("label", {className: "inline"}, make("span", {}, "opacity"), opacity));
  observe(() => {
    for (const name of ["box", "brush"]) find(`tool-${name}`).setAttribute("aria-pressed", String(brush.tool === name));
    for (const name of ["regions", "shares", "grid"]) find(`show-${name}`).setAttribute("aria-pressed", String(shows[name]));
    eraser.setAttribute("aria-pressed", String(brush.isErasing));
    size.value = brush.size;
    opacity.value = brush.opacity;
    find("hint").textContent = summary();
  });
}

// Panels

const panels = ["draw", "teach", "fuse"];
function choosePanel(name) {
  for (const other of panels) {
    find(`panel-${other}`).hidden = other !== name;
    find(`tab-${other}`).setAttribute("aria-selected", String(other === name));
    find(`tab-${other}`).tabIndex = other === name ? 0 : -1;
  }
}
panels.forEach((name, index) => {
  const tab = find(`tab-${name}`);
  tab.addEventListener("click", () => choosePanel(name));
  tab.addEventListener("keydown", event => {
    const by = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!by) return;
    const next = panels[(index + by + panels.length) % panels.length];
    choosePanel(next);
    find(`tab-${next}`).focus();
  });
});

const isNew = !takeUp();
whenBegun(initial.beginWith);
tools();
teach.start();
fuse.start();
exchange.start();
keys.start(run);
await settings.start({run, compare, copyCommand: exchange.copyCommand, exportScene: exchange.exportScene, importScene: exchange.importScene});
initial.start();
if (isNew) {
  // A first visit begins with what suits the model.
  const size = settings.modelOf(null)?.size;
  if (size) change(scene => { [scene.width, scene.height] = [size, size]; });
}
announce("scene");
announce("choice");
await jobs.takeUp();
document.body.dataset.ready = "yes";
