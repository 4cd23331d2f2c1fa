/** The queue: what runs, what waits, how far it is, and how to end it. */

import * as api from "./api.js";
import {find, make, say, attempt} from "./dom.js";
import {show} from "./canvas.js";
import {addToGallery} from "./gallery.js";
import {refresh} from "./settings.js";
import {showLeaks} from "./leaks.js";

const list = find("jobs"), progress = find("progress");
/** Jobs of this page by id, with what else wants to know of them. */
const watched = new Map();

function seconds(value) {
  if (value === null || value === undefined) return "";
  return value < 90 ? `${Math.ceil(value)} s left` : `${Math.ceil(value / 60)} min left`;
}

const what = job => job.request?.prompt || job.request?.name || job.kind;

function describe(job) {
  if (job.status === "queued") return `${what(job)}: waits, place ${job.queue_position}`;
  if (job.status === "running") {
    const steps = job.steps ? ` ${job.step}/${job.steps}` : "";
    return `${what(job)}: ${job.message || "begins"}${steps} ${seconds(job.seconds_left)}`;
  }
  return `${what(job)}: ${job.status}${job.error ? `: ${job.error}` : ""}`;
}

function entry(job) {
  const bar = make("progress", {max: 1, value: 0, "aria-label": "progress of this job"});
  const cancel = make("button", {type: "button", className: "cancel", onclick: () => attempt(() => api.remove(job.id))}, "Cancel");
  return make("li", {id: `job-${job.id}`}, make("span", {}), bar, cancel);
}

function draw(job) {
  let element = find(`job-${job.id}`);
  if (!element) {
    element = entry(job);
    list.append(element);
  }
  // Told many times a second: the button stays the same one, or nobody could click on it.
  const [text, bar, cancel] = element.children;
  text.textContent = describe(job);
  element.className = job.status;
  element.dataset.status = job.status;
  if (["queued", "running"].includes(job.status)) {
    bar.value = job.progress;
    cancel.setAttribute("aria-label", `Cancel ${what(job)}`);
    if (job.status === "queued") return;
    progress.hidden = false;
    progress.value = job.progress;
  } else {
    bar?.remove();
    cancel?.remove();
    progress.hidden = true;
    // What went well is in the gallery.
    setTimeout(() => element.remove(), job.status === "failed" ? 60000 : 2500);
  }
}

/**
 * Follows a job to its end.
 * @param listeners further ones by event
 */
export function follow(job, listeners = {}) {
  if (watched.has(job.id)) return;
  watched.set(job.id, job.request);
  draw(job);
  const told = data => ({...data, request: data.request ?? watched.get(job.id)});
  let previews = 0;
  const source = api.watch(job.id, {
    progress: data => draw(told(data)),
    preview: data => {
      show(api.preview(job.id, ++previews));
      listeners.preview?.(data);
    },
    picture: data => {
      show(data.url);
      addToGallery(data, told(job));
      listeners.picture?.(data);
    },
    line: data => listeners.line?.(data),
    done: data => {
      const over = told(data);
      watched.delete(job.id);
      draw(over);
      say(describe(over), data.status === "failed");
      if (data.result?.region_report) showLeaks(data.result.region_report);
      if (data.kind !== "draw" && data.status === "completed") refresh();
      listeners.done?.(data);
    },
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) { watched.delete(job.id); find(`job-${job.id}`)?.remove(); }
  });
}

/** Submits an order and follows it. */
export async function run(order, listeners) {
  const job = await api.submit(order);
  const request = {...order};
  delete request.pictures;
  follow({...job, request}, listeners);
  return job;
}

/** Follows what runs and waits already. */
export const takeUp = () => attempt(async () => {
  const found = await api.jobs();
  for (const job of found.active) follow(job);
  for (const job of [...found.jobs].reverse()) for (const picture of job.result?.pictures ?? []) addToGallery(picture, job);
});
