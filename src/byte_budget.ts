/**
 * A limit on how many bytes are held at a time, and by how many.
 *
 * @module
 */

import { unlessAborted } from "./clock.ts";

/** Bytes that are held. */
export interface Held {
  /** Gives back all but so many. */
  keep(bytes: number): void;
  /** Gives back all, once. */
  giveBack(): void;
}

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
   * @returns `undefined` if the signal aborted first.
   */
  async take(bytes: number, signal?: AbortSignal): Promise<Held | undefined> {
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
      else this.#giveBack(bytes, 1);
      return undefined;
    }
    let [held, holders] = [bytes, 1];
    const keep = (kept: number) => {
      this.#giveBack(held - kept, 0);
      held = kept;
    };
    const giveBack = () => {
      this.#giveBack(held, holders);
      [held, holders] = [0, 0];
    };
    return { keep, giveBack };
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

  #giveBack(bytes: number, holders: number): void {
    this.#heldBytes -= bytes;
    this.#held -= holders;
    this.#grant();
  }
}
