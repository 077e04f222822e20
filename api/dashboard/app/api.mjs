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

/**
 * How long nothing may come. An answer that goes on coming may take as long as it needs: on a slow
 * link a list of hundreds of nodes takes a minute, and the server is well all the same.
 */
const PATIENCE_MS = 20_000;
/** From so many bytes on, how fast they came tells how fast the link is. */
const TELLING_BYTES = 20_000;
/** An answer that takes this long is slow. */
const SLOW_MS = 5000;

/** The path of something below /api, with each name percent-encoded. */
export const apiPath = (...names) => `api/${names.map(encodeURIComponent).join("/")}`;

export class Client {
  #fetch;
  #patience;
  #clockAhead = 0;
  #onSlow;
  /** How many bytes of answers a second brought lately; Infinity until that is known. */
  bytesPerSecond = Infinity;

  /** `onSlow(bytes)` is told again and again how much of an answer has come that takes long. */
  constructor({
    fetch = globalThis.fetch.bind(globalThis),
    patience = PATIENCE_MS,
    onSlow = () => {},
  } = {}) {
    this.#fetch = fetch;
    this.#patience = patience;
    this.#onSlow = onSlow;
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
    let timer = setTimeout(giveUp, this.#patience);
    const goOn = () => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, this.#patience);
    };
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted) giveUp();
    try {
      const headers = { Accept: "application/json" };
      const response = await this.#fetch(url, {
        headers,
        signal: waiting.signal,
        cache: "no-store",
      });
      goOn();
      if (!response.ok) throw new Problem(response.status, await problemOf(response));
      this.#compareClocks(response.headers.get("date"));
      return { body: await this.#read(response, goOn), headers: response.headers };
    } catch (error) {
      if (error instanceof Problem || signal?.aborted) throw error;
      const seconds = Math.round(this.#patience / 1000);
      const reason = waiting.signal.aborted ? `Nothing came for ${seconds} s.` : "No connection.";
      throw new Unreachable(reason, { cause: error });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
    }
  }

  /** Reads an answer as it comes; `goOn()` is called for each piece. */
  async #read(response, goOn) {
    const [beganAt, pieces] = [Date.now(), []];
    const text = new TextDecoder();
    let bytes = 0;
    for await (const piece of piecesOf(response.body)) {
      goOn();
      bytes += piece.byteLength;
      pieces.push(text.decode(piece, { stream: true }));
      if (Date.now() - beganAt > SLOW_MS) this.#onSlow(bytes);
    }
    const seconds = (Date.now() - beganAt) / 1000;
    if (bytes >= TELLING_BYTES && seconds > 0.05) this.bytesPerSecond = bytes / seconds;
    return JSON.parse(pieces.join("") + text.decode());
  }

  #compareClocks(date) {
    const server = Date.parse(date ?? "");
    if (Number.isNaN(server)) return;
    const ahead = server - Date.now();
    // The header has whole seconds, and the answer was on its way: less than that is no difference.
    this.#clockAhead = Math.abs(ahead) > 3000 ? ahead : 0;
  }
}

/** The pieces of a body. Not every browser can iterate over them by itself. */
async function* piecesOf(body) {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

function address(path, parameters) {
  const given = Object.entries(parameters).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
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
