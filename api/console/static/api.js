// Talks to the API: JSON in, JSON out, refusals as one readable sentence.

export const API = '/api/v1';

/** A request that was answered with something other than success, or not at all. */
export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** GET a path with parameters; those that are null or '' are left out. */
export function get(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== '' && value !== undefined);
  const query = new URLSearchParams(given).toString();
  return ask(query ? `${path}?${query}` : path, { signal });
}

/** Send a body as JSON. */
export function send(method, path, body = undefined) {
  const headers = { 'Content-Type': 'application/json' };
  return ask(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
}

/** Send a file as it is, by its kind. */
export function sendFile(path, parameters, file) {
  return ask(`${path}?${new URLSearchParams(parameters)}`, { method: 'POST', headers: { 'Content-Type': 'text/csv' }, body: file });
}

/** What was asked for, or null where there is none of it: what stands beside it says so. */
export function offered(answer) {
  return answer.catch((error) => {
    if (error.status === 404) return null;
    throw error;
  });
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, { ...options, credentials: 'same-origin' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refused('The API does not answer. It may be restarting; this page tries again by itself.', 0);
  }
  const isJson = (answer.headers.get('content-type') || '').includes('json');
  const body = isJson ? await answer.json() : null;
  // /ready says 503 with a body that is an answer, not a problem
  if (answer.ok || (body && body.dependencies)) return body;
  throw new Refused(sentence(answer, body), answer.status);
}

function sentence(answer, problem) {
  if (!problem) return `The API answered ${answer.status} ${answer.statusText}.`;
  const fields = (problem.errors || []).map((each) => `${each.field}: ${each.message}`);
  return fields.length ? fields.join('; ') : problem.detail || problem.title;
}

/** Yield all items of a paged answer, page after page. */
export async function* pages(path, parameters, signal = undefined) {
  let cursor = null;
  do {
    const page = await get(path, { ...parameters, cursor }, signal);
    yield page;
    cursor = page.next_cursor;
  } while (cursor);
}
