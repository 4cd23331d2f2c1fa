/** The server's own API. */

async function call(method, path, body) {
  const options = {method, headers: {}};
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  const text = await response.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    throw new Error(`the server answered ${response.status} with something else than JSON`);
  }
  if (!response.ok) throw new Error(value?.error?.message ?? `the server answered ${response.status}`);
  return value;
}

export const catalog = () => call("GET", "/mosc/v1/catalog");
export const submit = order => call("POST", "/mosc/v1/jobs", order);
export const jobs = (limit = 60) => call("GET", `/mosc/v1/jobs?limit=${limit}`);
export const job = id => call("GET", `/mosc/v1/jobs/${id}`);
export const remove = id => call("DELETE", `/mosc/v1/jobs/${id}`);
export const coverage = scene => call("POST", "/mosc/v1/coverage", scene);
export const commandLine = scene => call("POST", "/mosc/v1/command-line", scene);
export const settingsOfPicture = image => call("POST", "/mosc/v1/settings-of-picture", {image});
export const picture = id => `/mosc/v1/pictures/${id}`;
export const preview = (id, number) => `/mosc/v1/jobs/${id}/preview?${number}`;

/**
 * Watches a job to its end.
 * @param {Record<string, (data: any) => void>} listeners by name of event
 */
export function watch(id, listeners) {
  const source = new EventSource(`/mosc/v1/jobs/${id}/events`);
  for (const [name, listener] of Object.entries(listeners)) {
    source.addEventListener(name, event => {
      if (name === "done") source.close();
      listener(JSON.parse(event.data));
    });
  }
  return source;
}
