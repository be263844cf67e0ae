/**
 * Decides which injected faults hit a call to the testing double, and keeps the
 * record of the hits.
 *
 * @module
 */

import type { Random } from "../clock.ts";
import { SqsError } from "../errors.ts";
import type { EntryFailure, EntryResult } from "../sqs/connection.ts";
import { throttled } from "./checks.ts";
import type { ClockWait } from "./clock_wait.ts";
import {
  checkFault,
  type Fault,
  FAULT_KINDS,
  type FaultHit,
  type FaultOf,
  type FaultOperation,
  type InjectedFault,
  operationsOf,
} from "./faults.ts";

/** A call to the double. */
export interface Call {
  readonly operation: FaultOperation;
  readonly queue: { readonly name: string; readonly fifo: boolean };
  /** The bodies of its messages; a receive learns them from its answer. */
  readonly bodies: readonly string[];
}

interface ScriptedFault extends InjectedFault {
  readonly fault: Fault;
  readonly untilMs: number;
  hits: number;
}

/** The faults in force, and the record of their hits. */
export class FaultScript {
  /** The hits so far, oldest first. */
  readonly hits: FaultHit[] = [];
  readonly random: Random;
  readonly clockWait: ClockWait;
  readonly #faults = new Set<ScriptedFault>();

  constructor(clockWait: ClockWait, random: Random) {
    this.clockWait = clockWait;
    this.random = random;
  }

  inject(fault: Fault): InjectedFault {
    checkFault(fault);
    const remove = () => void this.#faults.delete(scripted);
    const scripted: ScriptedFault = {
      fault: { ...fault },
      untilMs: fault.kind === "throttle"
        ? this.clockWait.clock.now() + fault.durationSeconds * 1000
        : Infinity,
      hits: 0,
      remove,
      [Symbol.dispose]: remove,
    };
    this.#faults.add(scripted);
    return scripted;
  }

  /** The fault of a kind that hits a call now, if any. It counts as a hit. */
  find<K extends Fault["kind"]>(kind: K, call: Call): FaultOf<K> | undefined {
    for (const scripted of this.#faults) {
      const { fault, untilMs } = scripted;
      const { probability, times } = fault;
      if (fault.kind !== kind || untilMs <= this.clockWait.clock.now()) {
        continue;
      }
      if (!matches(fault, call)) continue;
      if (probability !== undefined && this.random() >= probability) continue;
      scripted.hits++;
      const isOnce = probability === undefined && kind !== "throttle";
      if (scripted.hits >= (times ?? (isOnce ? 1 : Infinity))) {
        scripted.remove();
      }
      return fault as FaultOf<K>;
    }
  }

  /** Records a hit. */
  record(
    kind: Fault["kind"],
    { operation, queue }: Call,
    bodies: readonly string[],
  ): void {
    const at = new Date(this.clockWait.clock.now());
    this.hits.push({ at, kind, operation, queue: queue.name, bodies });
  }
}

function matches(fault: Fault, { operation, queue, bodies }: Call): boolean {
  const entries = fault.kind === "partialFailure" ? fault.entries : undefined;
  return operationsOf(fault).includes(operation) &&
    (fault.queue === undefined || fault.queue === queue.name) &&
    !(queue.fifo && FAULT_KINDS[fault.kind].standardOnly) &&
    (entries === undefined || entries.some((each) => each < bodies.length));
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
    bodies = this.#call.bodies,
  ): FaultOf<K> | undefined {
    const fault = this.#script.find(kind, this.#call);
    if (fault !== undefined) this.#script.record(kind, this.#call, bodies);
    return fault;
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
  before(): void {
    if (this.hit("throttle") !== undefined) {
      throw throttled(this.#call.operation);
    }
    const fault = this.hit("error");
    if (fault === undefined) return;
    const { code = "InternalError", senderFault } = fault;
    const message = "a fault of the testing double, before the effect";
    throw this.#error(code, message, senderFault);
  }

  /** Delays or throws if a fault hits the call after its effect. */
  async after(signal: AbortSignal | undefined): Promise<void> {
    const { operation, bodies } = this.#call;
    if (operation === "ReceiveMessage" && bodies.length === 0) return;
    const late = this.hit("lateAnswer");
    if (late !== undefined) {
      await this.#script.clockWait.sleep(late.delaySeconds * 1000, signal);
      signal?.throwIfAborted();
    }
    if (this.hit("lostAnswer") !== undefined) {
      const message = "a fault of the testing double, after the effect";
      throw this.#error("ECONNRESET", message);
    }
  }

  /** The result of each entry of a batch; a fault may refuse some entries. */
  entries<T>(effect: (position: number) => EntryResult<T>): EntryResult<T>[] {
    const { bodies } = this.#call;
    const fault = this.#script.find("partialFailure", this.#call);
    let refused: readonly number[] = [];
    if (fault !== undefined) {
      const { entries = this.#drawPositions() } = fault;
      refused = entries.filter((each) => each < bodies.length);
      const hit = refused.map((position) => bodies[position]!);
      this.#script.record("partialFailure", this.#call, hit);
    }
    return bodies.map((_, position) => {
      if (!refused.includes(position)) return effect(position);
      if (fault?.afterEffect) effect(position);
      return { ok: false, failure: REFUSED_ENTRY };
    });
  }

  /** Draws positions, at least one. */
  #drawPositions(): number[] {
    const { random } = this.#script;
    const positions = [...this.#call.bodies.keys()];
    const one = Math.floor(random() * positions.length);
    return positions.filter((position) => random() < 0.5 || position === one);
  }

  #error(code: string, message: string, senderFault = false): SqsError {
    return new SqsError(`${this.#call.operation} failed: ${message}`, {
      code,
      senderFault,
    });
  }
}
