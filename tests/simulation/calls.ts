/**
 * The calls of a simulation's programs to the double. Each takes its time, is
 * counted, and ends without an answer if its program is killed.
 *
 * @module
 */

import { type Clock, sleep } from "../../src/clock.ts";
import { SqsError } from "../../src/errors.ts";
import type { Connection } from "../../src/sqs/connection.ts";
import type { FaultOperation } from "../../src/double/faults.ts";
import type { VirtualClock } from "../../src/double/virtual_clock.ts";

/** The calls of all programs so far, by operation. */
export class CallCounts {
  readonly calls: Record<string, number> = {};
  /** Receives that brought nothing. */
  empty = 0;
  /** Calls that SQS refused. */
  refused = 0;

  get total(): number {
    return Object.values(this.calls).reduce((sum, count) => sum + count, 0);
  }
}

/** The time of one program, until somebody kills it. */
export class ProgramClock implements Clock {
  readonly #clock: VirtualClock;
  readonly #killed: AbortSignal;

  constructor(clock: VirtualClock, killed: AbortSignal) {
    this.#clock = clock;
    this.#killed = killed;
  }

  now(): number {
    return this.#clock.now();
  }

  timer(ms: number, callback: () => void): () => void {
    return this.#clock.timer(ms, () => {
      if (!this.#killed.aborted) callback();
    });
  }
}

/** How a program calls SQS. */
export interface Line {
  readonly connection: Connection;
  readonly clock: ProgramClock;
  readonly latencyMs: number;
  readonly counts: CallCounts;
  /** Aborts when the program is killed: its sockets close. */
  readonly killed: AbortSignal;
}

/** How often an SDK tries a throttled call, and its first pause. */
const TRIES = 3;
const RETRY_MS = 100;

/** A program's connection. */
export function programConnection(line: Line): Connection {
  const { connection } = line;
  return {
    region: connection.region,
    clockAheadMs: 0,
    queueUrl: (...args) => connection.queueUrl(...args),
    attributes: (...args) => connection.attributes(...args),
    send: (url, messages) =>
      call(line, "SendMessage", () => connection.send(url, messages)),
    receive: (url, options) =>
      call(line, "ReceiveMessage", async () => {
        const { killed, counts } = line;
        const signal = options.signal
          ? AbortSignal.any([options.signal, killed])
          : killed;
        const messages = await connection.receive(url, { ...options, signal });
        if (messages.length === 0) counts.empty++;
        return messages;
      }),
    delete: (url, handles) =>
      call(line, "DeleteMessage", () => connection.delete(url, handles)),
    changeVisibility: (url, changes) =>
      call(
        line,
        "ChangeMessageVisibility",
        () => connection.changeVisibility(url, changes),
      ),
    close() {},
  };
}

/** Calls, and again if SQS throttles, as an SDK does; a receive is one try. */
async function call<T>(
  line: Line,
  operation: FaultOperation,
  make: () => Promise<T>,
): Promise<T> {
  const { counts, clock, killed, latencyMs } = line;
  const tries = operation === "ReceiveMessage" ? 1 : TRIES;
  for (let i = 1;; i++) {
    counts.calls[operation] = (counts.calls[operation] ?? 0) + 1;
    try {
      const answer = await make();
      await sleep(clock, latencyMs);
      return answer;
    } catch (error) {
      if (killed.aborted) return await new Promise(() => {});
      if (!(error instanceof SqsError)) throw error;
      counts.refused++;
      await sleep(clock, latencyMs);
      const mayPass = error.code === "ThrottlingException" && i < tries;
      if (!mayPass) throw error;
      await sleep(clock, RETRY_MS * 2 ** i);
    }
  }
}
