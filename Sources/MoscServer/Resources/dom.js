/** Small helpers for elements. */

/** Makes an element: properties, `on…` listeners, `aria-…`/`data-…` attributes, then children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role" || name === "for" || name === "list") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter(child => child !== undefined && child !== null));
  return element;
}

export const find = id => document.getElementById(id);

/** A labelled control. */
export function field(label, control) {
  const box = make("label", {}, make("span", {}, label), control);
  return box;
}

/** Says something to everybody, also to those who do not see it. */
export function say(text, isBad = false) {
  const status = find("status");
  status.textContent = text;
  status.classList.toggle("bad", isBad);
}

/** Runs work and says what went wrong. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    say(error.message ?? String(error), true);
  }
}

/** Calls a function once the calls have stopped for a moment. */
export function settled(milliseconds, call) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...values), milliseconds);
  };
}

/** A file as a data URI. */
export function dataURI(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
