/**
 * The second deliveries that duplicate faults have ordered.
 *
 * @module
 */

import type { StoredMessage } from "./message.ts";

/** Messages that a queue delivers once more. */
export class Copies {
  #copies: { readonly atMs: number; readonly message: StoredMessage }[] = [];

  add(atMs: number, message: StoredMessage): void {
    this.#copies.push({ atMs, message });
  }

  /** Removes a message: it left the queue for good. */
  drop(message: StoredMessage): void {
    this.#copies = this.#copies.filter((copy) => copy.message !== message);
  }

  /** The time of the next copy that the clock has not reached. */
  nextAfter(nowMs: number): number {
    // A copy that is due waits for the next receive, not for the clock.
    const times = this.#copies.map(({ atMs }) => atMs);
    return Math.min(...times.filter((atMs) => atMs > nowMs));
  }

  /** Takes out the messages that are due. */
  takeDue(nowMs: number): StoredMessage[] {
    const due = this.#copies.filter(({ atMs }) => atMs <= nowMs);
    this.#copies = this.#copies.filter(({ atMs }) => atMs > nowMs);
    return due.map(({ message }) => message);
  }
}
