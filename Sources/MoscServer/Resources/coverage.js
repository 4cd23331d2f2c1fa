/** What the regions cover, as the server computes it: shares per cell, cells per resolution, what nobody covers. */

import * as api from "./api.js";
import {find, settled} from "./dom.js";
import {state, observe, announce} from "./history.js";
import {activeRegions, exported} from "./scene.js";

let last = "";

const ask = settled(120, async () => {
  const regions = activeRegions(state.scene);
  const {model, width, height} = state.scene;
  // A region without a prompt covers what it covers.
  const body = {width, height, regions: regions.map(region => ({...exported(region), prompt: region.prompt.trim() || "-"}))};
  if (model) body.model = model;
  const text = JSON.stringify(body);
  if (text === last) return;
  last = text;
  try {
    const found = await api.coverage(body);
    if (text !== last) return;
    state.coverage = {...found, ids: regions.map(region => region.id)};
  } catch {
    state.coverage = null;
  }
  announce("coverage");
});

observe(kind => { if (kind === "scene") ask(); });
export const askAgain = ask;

/** Hatches what no region covers, and colours the rest by shares. */
export function drawShares(context, x, y, w, h) {
  const found = state.coverage;
  if (!found || !found.ids.length) return;
  const [cw, ch] = [w / found.width, h / found.height];
  context.save();
  context.beginPath();
  for (let cell = 0; cell < found.width * found.height; cell++) {
    if (found.shares[0][cell] < 500) continue;
    context.rect(x + (cell % found.width) * cw, y + Math.floor(cell / found.width) * ch, cw, ch);
  }
  context.clip();
  context.strokeStyle = getComputedStyle(document.body).getPropertyValue("--soft");
  context.globalAlpha = .35;
  context.lineWidth = 1;
  context.beginPath();
  for (let offset = -h; offset < w; offset += 9) {
    context.moveTo(x + offset, y + h);
    context.lineTo(x + offset + h, y);
  }
  context.stroke();
  context.restore();
}

/** Says what has which share at a place of the picture. */
export function hover(px, py) {
  const hint = find("hint");
  const found = state.coverage;
  const {width, height, regions} = state.scene;
  if (!found || px < 0 || py < 0 || px >= width || py >= height) { hint.textContent = summary(); return; }
  const cell = Math.floor(py / height * found.height) * found.width + Math.floor(px / width * found.width);
  const parts = [];
  found.shares.forEach((row, index) => {
    if (!row[cell]) return;
    const name = index === 0 ? "the picture's prompt" : regions.find(region => region.id === found.ids[index - 1])?.name ?? "?";
    parts.push(`${Math.round(row[cell] / 10)} % ${name}`);
  });
  hint.textContent = `${Math.floor(px)}, ${Math.floor(py)}: ${parts.join(" · ")}`;
}

/** What is left to the picture's own prompt. */
export function summary() {
  const found = state.coverage;
  if (!found || !found.ids.length) return "Drag on the picture for a region with a prompt of its own.";
  return `${Math.round(found.uncovered * 100)} % is drawn by the picture's prompt alone (hatched).`;
}

/** The cells of a region at each resolution. @returns {{text: string, isWarning: boolean}[]} */
export function badges(region) {
  const found = state.coverage;
  const index = found?.ids.indexOf(region.id) ?? -1;
  if (index < 0) return [];
  return found.levels.map(level => {
    const cells = level.cells[index], all = level.width * level.height;
    return {
      text: `${level.width}×${level.height}: ${cells}`, isWarning: cells === 0 || cells < .02 * all,
      title: cells === 0 ? "covers no cell there: the picture's prompt acts" : cells < .02 * all ? "covers less than 2 %" : "cells that it covers",
    };
  });
}
