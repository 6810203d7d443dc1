/**
 * An AbortController that makes its signal when somebody first asks for it.
 * Most calls end before anybody does, and a signal costs more than their hashes.
 */
export class LazyAbort {
  #controller: AbortController | undefined;
  #isAborted = false;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAborted) {
        this.#controller.abort();
      }
    }
    return this.#controller.signal;
  }

  /** What the signal's own would tell. */
  get isAborted(): boolean {
    return this.#isAborted;
  }

  /** What the signal's own would do. */
  throwIfAborted(): void {
    if (this.#isAborted) {
      this.signal.throwIfAborted();
    }
  }

  abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }
}
