/** What the keyboard does where no text is typed. */

import {find, say} from "./dom.js";
import {undo, redo, state, announce} from "./history.js";
import {removeChosen, duplicateChosen, nudge, choose} from "./regions.js";
import {brush} from "./brush.js";
import {reset} from "./view.js";

const isText = element => element?.matches?.("input:not([type=checkbox]):not([type=range]), textarea, select");

export function start(run) {
  document.addEventListener("keydown", event => {
    if (find("panel-draw").hidden) return;
    const {key} = event;
    const control = event.ctrlKey || event.metaKey;
    if (control && key === "Enter") { event.preventDefault(); return run(); }
    if (isText(event.target)) return;
    if (control && key.toLowerCase() === "z" && !event.shiftKey) { event.preventDefault(); if (!undo()) say("nothing to undo"); return; }
    if (control && (key.toLowerCase() === "y" || key.toLowerCase() === "z")) { event.preventDefault(); if (!redo()) say("nothing to do again"); return; }
    if (control && key.toLowerCase() === "d") { event.preventDefault(); return duplicateChosen(); }
    if (control || event.metaKey) return;
    const onCanvas = event.target === find("canvas");
    const step = event.shiftKey ? 64 : 8;
    const arrows = {ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step]};
    if (onCanvas && arrows[key]) { event.preventDefault(); return nudge(...arrows[key], event.altKey); }
    if (key === "Delete" || (key === "Backspace" && onCanvas)) { event.preventDefault(); return removeChosen(); }
    if (key === "[" || key === "]") {
      brush.size = Math.min(512, Math.max(1, Math.round(brush.size * (key === "]" ? 1.25 : .8)) + (key === "]" ? 1 : 0)));
      say(`brush ${brush.size} px`);
      return announce("tool");
    }
    if (onCanvas && key === "Enter") { event.preventDefault(); return run(); }
    if (onCanvas && key === "0") { reset(state.scene); return announce("view"); }
    if (onCanvas && key === "Tab" && cycle(event.shiftKey ? -1 : 1)) event.preventDefault();
    if (key === "Escape" && onCanvas) find("set-prompt").focus();
  });
}

/** Goes on to the next region; behind the last one the page goes on. */
function cycle(by) {
  const {regions} = state.scene;
  const index = regions.findIndex(region => region.id === state.chosen);
  const next = regions[index + by];
  if (!next) return false;
  choose(next.id);
  say(`${next.name}: ${next.prompt || "no prompt yet"}`);
  return true;
}
