/**
 * A limit on how many bytes are held at a time, and by how many.
 *
 * @module
 */

import { unlessAborted } from "./clock.ts";

/** A limit on how many bytes are held at a time; who comes first gets them first. */
export class ByteBudget {
  readonly #bytes: number;
  readonly #holders: number;
  readonly #waiting = new Set<{
    readonly bytes: number;
    readonly grant: () => void;
  }>();
  #heldBytes = 0;
  #held = 0;
  #moved = Promise.withResolvers<void>();

  constructor(bytes: number, holders: number = Infinity) {
    this.#bytes = bytes;
    this.#holders = holders;
  }

  /**
   * Waits until so many bytes may be held.
   *
   * @returns Gives them back, once; `undefined` if the signal aborted first.
   */
  async take(
    bytes: number,
    signal?: AbortSignal,
  ): Promise<(() => void) | undefined> {
    const { promise, resolve: grant } = Promise.withResolvers<true>();
    const waiting = { bytes, grant: () => grant(true) };
    this.#waiting.add(waiting);
    this.#grant();
    const isGranted = signal === undefined
      ? await promise
      : await unlessAborted(promise, signal);
    if (isGranted === undefined) {
      // It may have been granted in the meantime.
      if (this.#waiting.delete(waiting)) this.#grant();
      else this.#giveBack(bytes);
      return undefined;
    }
    let isHeld = true;
    return () => {
      if (isHeld) this.#giveBack(bytes);
      isHeld = false;
    };
  }

  /** Resolves when nobody waits. */
  async hasRoom(): Promise<void> {
    while (this.#waiting.size > 0) await this.#moved.promise;
  }

  #grant(): void {
    this.#moved.resolve();
    this.#moved = Promise.withResolvers();
    for (const waiting of this.#waiting) {
      const isOver = this.#heldBytes + waiting.bytes > this.#bytes;
      if (this.#held > 0 && isOver || this.#held >= this.#holders) return;
      this.#waiting.delete(waiting);
      this.#heldBytes += waiting.bytes;
      this.#held++;
      waiting.grant();
    }
  }

  #giveBack(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#held--;
    this.#grant();
  }
}
