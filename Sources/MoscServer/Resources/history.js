/** The scene with its past: every change goes through here, can be undone, and is kept for the next visit. */

import {emptyScene} from "./scene.js";

const key = "mosc-scene";
const most = 200;

/** The state of the page. `chosen` is the id of a region. */
export const state = {scene: emptyScene(), chosen: null, picture: null, coverage: null};

let past = [], future = [], current = JSON.stringify(state.scene);
const listeners = new Set();

/** Calls a function after every change. */
export function observe(listener) { listeners.add(listener); }

export function announce(kind = "view") { for (const listener of listeners) listener(kind); }

export const chosen = () => state.scene.regions.find(region => region.id === state.chosen) ?? null;

/** Ends a change: what was before can be had again. */
export function commit() {
  const text = JSON.stringify(state.scene);
  if (text === current) return announce("view");
  past.push(current);
  if (past.length > most) past.shift();
  future = [];
  current = text;
  keep();
  announce("scene");
}

/** Changes the scene. */
export function change(work) {
  work(state.scene);
  commit();
}

function keep() {
  try {
    localStorage.setItem(key, current);
  } catch {
    // A full store keeps the last scene that fitted.
  }
}

function go(from, to) {
  if (!from.length) return false;
  to.push(current);
  current = from.pop();
  state.scene = JSON.parse(current);
  if (!chosen()) state.chosen = null;
  keep();
  announce("scene");
  return true;
}

export const undo = () => go(past, future);
export const redo = () => go(future, past);
export const depth = () => ({undo: past.length, redo: future.length});

/** Puts another scene in the place of this one. */
export function replace(scene) {
  state.scene = scene;
  state.chosen = scene.regions[0]?.id ?? null;
  commit();
}

/** Takes up the scene of the last visit. @returns whether there was one */
export function takeUp() {
  try {
    const text = localStorage.getItem(key);
    if (!text) return false;
    state.scene = {...emptyScene(), ...JSON.parse(text)};
    current = JSON.stringify(state.scene);
    state.chosen = state.scene.regions[0]?.id ?? null;
    return true;
  } catch {
    return false;
  }
}
