/**
 * How a test sees the messages of a queue: as the queue's container reads them,
 * otherwise as a producer wrote them.
 *
 * @module
 */

import { AS_JOBS, type Reading } from "../message/reading.ts";

/** How the messages of each queue are read. */
export class Readings {
  readonly #read = new Map<string, Reading>();
  readonly #written = new Map<string, Reading>();

  /** A container reads a queue, and may send failed messages to another. */
  noteContainer(
    queue: string,
    reading: Reading,
    failures: string | undefined,
  ): void {
    this.#read.set(nameOf(queue), reading);
    if (failures !== undefined) this.#written.set(nameOf(failures), reading);
  }

  noteProducer(queue: string, writing: Reading): void {
    this.#written.set(nameOf(queue), writing);
  }

  /** A message moved to a dead-letter queue. */
  noteMove(from: string, to: string): void {
    this.#written.set(nameOf(to), this.of(from));
  }

  /** How the messages of a queue are read. */
  of(queue: string): Reading {
    const name = nameOf(queue);
    return this.#read.get(name) ?? this.#written.get(name) ?? AS_JOBS;
  }
}

/** The name of the queue of a URL; the double has one account. */
function nameOf(url: string): string {
  return url.split("/").at(-1)!;
}
