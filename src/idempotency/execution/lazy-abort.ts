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

  /** True if the signal is aborted, or would be if it had been made. */
  get isAborted(): boolean {
    return this.#isAborted;
  }

  /** Throws the signal's reason if it is aborted. */
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
