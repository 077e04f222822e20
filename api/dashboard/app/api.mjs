// The client of the REST API: lists page by page, errors as what they mean, and an end to waiting.

/** The server did not answer: not there, not reachable, or too slow. */
export class Unreachable extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = "Unreachable";
  }
}

/** The server answered that it cannot: a problem as RFC 9457 has it. */
export class Problem extends Error {
  constructor(status, problem = {}) {
    super(problem.detail ?? problem.title ?? `The server answered with status ${status}.`);
    this.name = "Problem";
    this.status = status;
    this.problem = problem;
  }
}

/** How long an answer may take. Lists of the largest clusters take seconds, not tens of them. */
const PATIENCE_MS = 20_000;

/** The path of something below /api, with each name percent-encoded. */
export const apiPath = (...names) => `api/${names.map(encodeURIComponent).join("/")}`;

export class Client {
  #fetch;
  #patience;
  #clockAhead = 0;

  constructor({ fetch = globalThis.fetch.bind(globalThis), patience = PATIENCE_MS } = {}) {
    this.#fetch = fetch;
    this.#patience = patience;
  }

  /** The server's time, so that a reader's wrong clock moves no chart. */
  now() {
    return Date.now() + this.#clockAhead;
  }

  /**
   * Gets a list: its items, and the token of its next page or null on the last one.
   * Parameters without a value are not sent. An abort by `signal` is thrown as it is.
   */
  async list(path, parameters = {}, signal = undefined) {
    const response = await this.#get(address(path, parameters), signal);
    return { items: response.body, next: response.headers.get("x-continue") };
  }

  /** Gets one entity's newest sample. */
  async newest(path, signal = undefined) {
    const { items } = await this.list(path, {}, signal);
    return items[0] ?? null;
  }

  async #get(url, signal) {
    const waiting = new AbortController();
    const giveUp = () => waiting.abort();
    const timer = setTimeout(giveUp, this.#patience);
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted) giveUp();
    try {
      const headers = { Accept: "application/json" };
      const response = await this.#fetch(url, { headers, signal: waiting.signal, cache: "no-store" });
      if (!response.ok) throw new Problem(response.status, await problemOf(response));
      this.#compareClocks(response.headers.get("date"));
      return { body: await response.json(), headers: response.headers };
    } catch (error) {
      if (error instanceof Problem || signal?.aborted) throw error;
      const seconds = Math.round(this.#patience / 1000);
      const reason = waiting.signal.aborted ? `No answer within ${seconds} s.` : "No connection.";
      throw new Unreachable(reason, { cause: error });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
    }
  }

  #compareClocks(date) {
    const server = Date.parse(date ?? "");
    if (Number.isNaN(server)) return;
    const ahead = server - Date.now();
    // The header has whole seconds, and the answer was on its way: less than that is no difference.
    this.#clockAhead = Math.abs(ahead) > 3000 ? ahead : 0;
  }
}

function address(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const query = new URLSearchParams(given).toString();
  return query ? `${path}?${query}` : path;
}

async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    // A proxy in between answered, in its own words.
    return {};
  }
}
