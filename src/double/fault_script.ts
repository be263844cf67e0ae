/**
 * Decides which injected faults hit a call to the testing double, and keeps the
 * record of the hits.
 *
 * @module
 */

import type { Clock, Random } from "../clock.ts";
import { SqsError } from "../errors.ts";
import type { EntryFailure, EntryResult } from "../sqs/connection.ts";
import type { ClockWait } from "./clock_wait.ts";
import {
  checkFault,
  type Fault,
  FAULT_KINDS,
  type FaultHit,
  type FaultOf,
  type FaultOperation,
  type InjectedFault,
  namedOperations,
} from "./faults.ts";

/** The queue that a call is for. */
export interface CalledQueue {
  readonly name: string;
  readonly fifo: boolean;
}

/** A call to the double. */
interface Call {
  readonly operation: FaultOperation;
  readonly queue: CalledQueue;
}

class ScriptedFault implements InjectedFault {
  readonly fault: Fault;
  hits = 0;
  #removed = false;
  readonly #untilMs: number;
  readonly #operations: readonly FaultOperation[];
  readonly #times: number;

  constructor(fault: Fault, nowMs: number) {
    this.fault = fault;
    this.#operations = namedOperations(fault) ??
      FAULT_KINDS[fault.kind].operations.filter((each) =>
        !each.startsWith("GetQueue")
      );
    this.#untilMs = fault.kind === "throttle"
      ? nowMs + fault.durationSeconds * 1000
      : Infinity;
    const once = fault.probability === undefined && fault.kind !== "throttle";
    this.#times = fault.times ?? (once ? 1 : Infinity);
  }

  isOver(nowMs: number): boolean {
    return this.#removed || this.hits >= this.#times || this.#untilMs <= nowMs;
  }

  matches({ operation, queue }: Call, entries: number): boolean {
    const { kind, queue: name } = this.fault;
    const positions = kind === "partialFailure"
      ? this.fault.entries
      : undefined;
    return this.#operations.includes(operation) &&
      (name === undefined || name === queue.name) &&
      !(queue.fifo && FAULT_KINDS[kind].standardOnly) &&
      (positions === undefined || positions.some((each) => each < entries));
  }

  remove(): void {
    this.#removed = true;
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}

/** The faults in force, and the record of their hits. */
export class FaultScript {
  /** The hits so far, oldest first. */
  readonly hits: FaultHit[] = [];
  readonly random: Random;
  readonly clockWait: ClockWait;
  readonly #clock: Clock;
  #faults: ScriptedFault[] = [];

  constructor(clock: Clock, clockWait: ClockWait, random: Random) {
    this.#clock = clock;
    this.clockWait = clockWait;
    this.random = random;
  }

  inject(fault: Fault): InjectedFault {
    checkFault(fault);
    const scripted = new ScriptedFault({ ...fault }, this.#clock.now());
    this.#faults.push(scripted);
    return scripted;
  }

  /**
   * The fault of a kind that hits a call now, if any.
   *
   * @param hitBodies Chooses the bodies that the fault hits, for the record.
   */
  hit<K extends Fault["kind"]>(
    kind: K,
    call: Call,
    bodies: readonly string[],
    hitBodies: (fault: FaultOf<K>) => readonly string[] = () => bodies,
  ): FaultOf<K> | undefined {
    if (this.#faults.length === 0) return undefined;
    const now = this.#clock.now();
    this.#faults = this.#faults.filter((each) => !each.isOver(now));
    const scripted = this.#faults.find((each) => {
      const { probability = 1 } = each.fault;
      return each.fault.kind === kind && each.matches(call, bodies.length) &&
        (probability === 1 || this.random() < probability);
    });
    if (scripted === undefined) return undefined;
    scripted.hits++;
    const fault = scripted.fault as FaultOf<K>;
    this.hits.push({
      at: new Date(now),
      kind,
      operation: call.operation,
      queue: call.queue.name,
      bodies: hitBodies(fault),
    });
    return fault;
  }
}

const REFUSED_ENTRY: EntryFailure = {
  code: "InternalError",
  message: "a fault of the testing double",
  senderFault: false,
};

/** The faults that a queue asks for when a receive finds messages. */
export type ReceiveFaults = Pick<CallFaults, "reordering" | "duplicate">;

/** The faults of one call. */
export class CallFaults {
  readonly #script: FaultScript;
  readonly #call: Call;

  constructor(script: FaultScript, call: Call) {
    this.#script = script;
    this.#call = call;
  }

  /** The fault of a kind that hits this call, if any. */
  hit<K extends Fault["kind"]>(
    kind: K,
    bodies: readonly string[],
  ): FaultOf<K> | undefined {
    return this.#script.hit(kind, this.#call, bodies);
  }

  /** The chance to mix visible messages with, if a fault reorders them. */
  reordering(): Random | undefined {
    return this.hit("reordering", []) && this.#script.random;
  }

  /** The delay of a message's second delivery in seconds, if there is one. */
  duplicate(body: string): number | undefined {
    const fault = this.hit("duplicate", [body]);
    return fault && (fault.delaySeconds ?? 0);
  }

  /** Throws if a fault hits the call before its effect. */
  before(bodies: readonly string[]): void {
    if (this.hit("throttle", bodies) !== undefined) {
      throw this.#error(
        "RequestThrottled",
        "The request was denied due to request throttling.",
      );
    }
    const fault = this.hit("error", bodies);
    if (fault === undefined) return;
    throw this.#error(
      fault.code ?? "InternalError",
      "a fault of the testing double, before the effect",
      fault.senderFault,
    );
  }

  /** Delays or throws if a fault hits the call after its effect. */
  async after(
    bodies: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const late = this.hit("lateAnswer", bodies);
    if (late !== undefined) {
      await this.#script.clockWait.sleep(late.delaySeconds * 1000, signal);
      signal?.throwIfAborted();
    }
    if (this.hit("lostAnswer", bodies) !== undefined) {
      throw this.#error(
        "ECONNRESET",
        "a fault of the testing double, after the effect",
      );
    }
  }

  /** The result of each entry of a batch; a fault may refuse some entries. */
  entries<E, T>(
    entries: readonly E[],
    bodies: readonly string[],
    effect: (entry: E) => EntryResult<T>,
  ): EntryResult<T>[] {
    let refused: readonly number[] = [];
    const fault = this.#script.hit(
      "partialFailure",
      this.#call,
      bodies,
      ({ entries = this.#drawPositions(bodies.length) }) => {
        refused = entries.filter((each) => each < bodies.length);
        return refused.map((position) => bodies[position]!);
      },
    );
    return entries.map((entry, position) => {
      if (!refused.includes(position)) return effect(entry);
      if (fault?.afterEffect) effect(entry);
      return { ok: false, failure: REFUSED_ENTRY };
    });
  }

  /** Draws positions, at least one. */
  #drawPositions(length: number): number[] {
    const { random } = this.#script;
    const one = Math.floor(random() * length);
    return Array.from({ length }, (_, i) => i)
      .filter((position) => random() < 0.5 || position === one);
  }

  #error(code: string, message: string, senderFault = false): SqsError {
    return new SqsError(`${this.#call.operation} failed: ${message}`, {
      code,
      senderFault,
    });
  }
}
