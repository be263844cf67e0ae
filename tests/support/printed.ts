/**
 * The lines that code under test prints.
 *
 * @module
 */

import { stub } from "@std/testing/mock";

/** Takes the lines of `console.log` and `console.error` while it is in scope. */
export class Printed implements Disposable {
  readonly out: string[] = [];
  readonly err: string[] = [];
  #fresh: string[] = [];
  #waiting: { readonly text: string; readonly found: () => void }[] = [];
  readonly #stubs = [
    stub(console, "log", (...values) => this.#add(this.out, values)),
    stub(console, "error", (...values) => this.#add(this.err, values)),
  ];

  /** The lines since the last call. */
  take(): string[] {
    const lines = this.#fresh;
    this.#fresh = [];
    return lines;
  }

  /** Resolves to the first line with this text. */
  async line(text: string): Promise<string> {
    const find = () =>
      [...this.out, ...this.err].find((line) => line.includes(text));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ text, found: resolve });
    if (find() === undefined) await promise;
    return find()!;
  }

  #add(lines: string[], values: readonly unknown[]): void {
    const line = values.join(" ");
    lines.push(line);
    this.#fresh.push(line);
    for (const { text, found } of this.#waiting) {
      if (line.includes(text)) found();
    }
  }

  [Symbol.dispose](): void {
    for (const stub of this.#stubs) stub.restore();
  }
}
