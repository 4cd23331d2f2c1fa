/** The queue: what runs, what waits, how far it is, and how to end it. */

import * as api from "./api.js";
import {find, make, say, attempt} from "./dom.js";
import {show} from "./canvas.js";
import {addToGallery} from "./gallery.js";
import {refresh} from "./settings.js";

const list = find("jobs"), progress = find("progress");
/** Jobs of this page by id, with what else wants to know of them. */
const watched = new Map();

function seconds(value) {
  if (value === null || value === undefined) return "";
  return value < 90 ? `${Math.ceil(value)} s left` : `${Math.ceil(value / 60)} min left`;
}

function describe(job) {
  const what = job.request?.prompt || job.request?.name || job.kind;
  if (job.status === "queued") return `${what}: waits, place ${job.queue_position}`;
  if (job.status === "running") {
    const steps = job.steps ? ` ${job.step}/${job.steps}` : "";
    return `${what}: ${job.message || "begins"}${steps} ${seconds(job.seconds_left)}`;
  }
  return `${what}: ${job.status}${job.error ? `: ${job.error}` : ""}`;
}

function draw(job) {
  let element = find(`job-${job.id}`);
  if (!element) {
    element = make("li", {id: `job-${job.id}`});
    list.append(element);
  }
  element.className = job.status;
  element.dataset.status = job.status;
  const isOver = !["queued", "running"].includes(job.status);
  element.replaceChildren(
    describe(job),
    ...(isOver ? [] : [
      make("progress", {max: 1, value: job.progress, "aria-label": "progress of this job"}),
      make("button", {type: "button", className: "cancel", "aria-label": `Cancel ${describe(job)}`, onclick: () => attempt(() => api.remove(job.id))}, "Cancel"),
    ]));
  if (job.status === "running") {
    progress.hidden = false;
    progress.value = job.progress;
  }
  if (isOver) {
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
      draw(told(data));
      watched.delete(job.id);
      say(describe(told(data)), data.status === "failed");
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
