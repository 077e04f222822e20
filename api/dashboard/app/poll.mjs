// Asks again and again: one question at a time, and none while nobody looks.

/** How often figures are asked for: collectors send them this often. */
export const EVERY_MS = 5000;

/** A large cluster's answers take long to make. No more than a fifth of the time goes into them. */
const REST_PER_WORK = 4;

export class Poller {
  #ask;
  #report;
  #isVisible;
  #now;
  #timer = null;
  #asking = null;
  #dueAt = 0;
  #stopped = false;

  /**
   * `ask(signal)` does one round. `report(error)` is told how it went: null, or the error.
   * Rounds that were superseded are not reported.
   */
  constructor(ask, report, { isVisible = () => true, now = Date.now } = {}) {
    this.#ask = ask;
    this.#report = report;
    this.#isVisible = isVisible;
    this.#now = now;
  }

  /** Asks at once. What is being asked is given up: the question has changed. */
  async restart() {
    this.#asking?.abort();
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    const asking = new AbortController();
    this.#asking = asking;
    const startedAt = this.#now();
    let failure = null;
    try {
      await this.#ask(asking.signal);
    } catch (error) {
      failure = error;
    }
    if (this.#asking !== asking || this.#stopped) return;
    this.#asking = null;
    const work = this.#now() - startedAt;
    this.#dueAt = startedAt + Math.max(EVERY_MS, work * (1 + REST_PER_WORK));
    this.#report(failure);
    this.#wait();
  }

  /** To be told when the page was shown or hidden. */
  visibilityChanged() {
    if (!this.#asking) this.#wait();
  }

  /** Ends it for good. */
  stop() {
    this.#stopped = true;
    this.#asking?.abort();
    clearTimeout(this.#timer);
  }

  #wait() {
    clearTimeout(this.#timer);
    if (this.#stopped || !this.#isVisible()) return;
    this.#timer = setTimeout(() => this.restart(), Math.max(0, this.#dueAt - this.#now()));
  }
}
