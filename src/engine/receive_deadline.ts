/**
 * The deadline of a receive.
 *
 * @module
 */

/** When to give up a receive. It serves one receive after another. */
export class ReceiveDeadline {
  readonly #controller = new AbortController();
  #giveUp: ((nothing: undefined) => void) | undefined;
  readonly signal: AbortSignal = this.#controller.signal;
  /** How long the receive may take, in milliseconds. */
  limitMs = 0;
  dueMs = Infinity;
  isPutOff = false;

  begin(nowMs: number, limitMs: number): void {
    this.limitMs = limitMs;
    this.dueMs = nowMs + limitMs;
    this.isPutOff = false;
  }

  /** Waits for the answer; `undefined` if the receive was given up. */
  wait<T>(answer: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      // No closure: V8 kept the messages of each receive for one.
      this.#giveUp = resolve;
      if (this.signal.aborted) resolve(undefined);
      answer.then(resolve, reject);
    });
  }

  /** The receive has ended: nothing of it is held. */
  end(): void {
    this.#giveUp = undefined;
  }

  abort(reason: unknown): void {
    this.dueMs = Infinity;
    this.#controller.abort(reason);
    this.#giveUp?.(undefined);
  }
}
