/**
 * Event streams: they only say that a page has changed. The browser then asks
 * for the page again.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import type { Clock } from "../clock.ts";

type Topic = "counts" | "containers" | "work";

const TOPICS: readonly string[] = ["counts", "containers", "work"];

export function isTopic(text: string | undefined): text is Topic {
  return TOPICS.includes(text ?? "");
}

const MAX_STREAMS = 100;

/** The least time between two events of a stream, in milliseconds. */
const LEAST_MS = 1_000;

const HEARTBEAT_MS = 15_000;

/** What may wait for a reader, in bytes: one that reads has nothing waiting. */
const MAX_WAITING_BYTES = 16_384;

/** The part of an answer that a stream uses. */
export type Outgoing = Pick<
  ServerResponse,
  "writeHead" | "write" | "writableLength" | "destroy" | "on" | "end"
>;

interface Stream {
  readonly topic: Topic;
  readonly outgoing: Outgoing;
  sentMs: number;
  cancel: (() => void) | undefined;
}

export class EventStreams implements Disposable {
  readonly #clock: Clock;
  readonly #streams = new Set<Stream>();
  readonly #onWatch: () => void;
  #cancelHeartbeat: (() => void) | undefined;
  #count = 0;

  /** @param onWatch Called when a stream was opened or closed. */
  constructor(clock: Clock, onWatch: () => void) {
    this.#clock = clock;
    this.#onWatch = onWatch;
  }

  get isFull(): boolean {
    return this.#streams.size >= MAX_STREAMS;
  }

  /** Whether a page is open that shows one of these. */
  isWatched(...topics: readonly Topic[]): boolean {
    return [...this.#streams].some(({ topic }) => topics.includes(topic));
  }

  open(
    outgoing: Outgoing,
    topic: Topic,
    headers: Readonly<Record<string, string>>,
  ): void {
    const stream: Stream = {
      ...{ topic, outgoing },
      sentMs: -Infinity,
      cancel: undefined,
    };
    this.#streams.add(stream);
    outgoing.on("close", () => this.#forget(stream));
    outgoing.writeHead(200, {
      ...headers,
      "content-type": "text/event-stream",
      // For nginx, which would hold events back.
      "x-accel-buffering": "no",
    });
    this.#write(stream, "retry: 3000\n\n");
    this.#cancelHeartbeat ??= this.#heartbeat();
    this.#onWatch();
  }

  /** Says that pages have changed: to each browser once a second at most. */
  announce(...topics: readonly Topic[]): void {
    for (const stream of [...this.#streams]) {
      if (!topics.includes(stream.topic) || stream.cancel) continue;
      const waitMs = stream.sentMs + LEAST_MS - this.#clock.now();
      if (waitMs <= 0) this.#send(stream);
      else {
        stream.cancel = this.#clock.timer(waitMs, () => this.#send(stream));
      }
    }
  }

  [Symbol.dispose](): void {
    for (const stream of [...this.#streams]) {
      this.#forget(stream);
      stream.outgoing.destroy();
    }
  }

  #send(stream: Stream): void {
    stream.cancel = undefined;
    stream.sentMs = this.#clock.now();
    this.#write(stream, `event: update\ndata: ${++this.#count}\n\n`);
  }

  #write(stream: Stream, text: string): void {
    const { outgoing } = stream;
    outgoing.write(text);
    // A reader that is too slow comes back when it can read.
    if (outgoing.writableLength <= MAX_WAITING_BYTES) return;
    this.#forget(stream);
    outgoing.destroy();
  }

  #heartbeat(): () => void {
    return this.#clock.timer(HEARTBEAT_MS, () => {
      this.#cancelHeartbeat = this.#heartbeat();
      for (const stream of [...this.#streams]) this.#write(stream, ":\n\n");
    });
  }

  #forget(stream: Stream): void {
    if (!this.#streams.delete(stream)) return;
    stream.cancel?.();
    if (this.#streams.size === 0) {
      this.#cancelHeartbeat?.();
      this.#cancelHeartbeat = undefined;
    }
    this.#onWatch();
  }
}
