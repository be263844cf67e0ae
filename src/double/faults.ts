/**
 * Fault scripts: what goes wrong between a program and the testing double's
 * queues, how often, and for how long.
 *
 * @module
 */

import { SqsError } from "../errors.ts";
import { type Clock, type Random, sleep } from "../clock.ts";
import type { EntryFailure } from "../sqs/connection.ts";
import { refuseUnknown } from "../options.ts";

/** SQS's operations as its documentation names them, batches included. */
export type FaultOperation =
  | "GetQueueUrl"
  | "GetQueueAttributes"
  | "SendMessage"
  | "ReceiveMessage"
  | "DeleteMessage"
  | "ChangeMessageVisibility";

/** Which calls a fault hits. */
export interface FaultTarget {
  /**
   * The operation, or several.
   *
   * @default {undefined} each that the kind of fault can hit, but for those that
   * open a queue: `GetQueueUrl` and `GetQueueAttributes`
   */
  readonly operation?: FaultOperation | readonly FaultOperation[];
  /**
   * The queue's name.
   *
   * @default {undefined} every queue
   */
  readonly queue?: string;
  /**
   * How often it hits, 1 or more.
   *
   * @default {undefined} once; without end where `probability` or
   * `durationSeconds` is given
   */
  readonly times?: number;
  /**
   * How likely it hits, above 0 and up to 1; drawn from the double's seed.
   *
   * @default {1}
   */
  readonly probability?: number;
}

/** A call that fails before it has any effect. */
export interface ErrorFault extends FaultTarget {
  /** The kind of fault. */
  readonly kind: "error";
  /**
   * The error's code, as SQS names it or the network does.
   *
   * @default {"InternalError"}
   */
  readonly code?: string;
  /**
   * Whether SQS holds the sender to be at fault.
   *
   * @default {false}
   */
  readonly senderFault?: boolean;
}

/** A call that has its effect, and whose answer does not arrive. */
export interface LostAnswerFault extends FaultTarget {
  /** The kind of fault. Receives that bring nothing are not hit. */
  readonly kind: "lost answer";
}

/** A batch of which SQS refuses some entries, for a reason of its own. */
export interface PartialFailureFault extends FaultTarget {
  /** The kind of fault; it hits sends, deletes and visibility changes. */
  readonly kind: "partial failure";
  /**
   * The positions of the refused entries, counted from 0.
   *
   * @default {undefined} some of them, drawn from the double's seed
   */
  readonly entries?: readonly number[];
  /**
   * Whether the refused entries have their effect all the same.
   *
   * @default {false}
   */
  readonly afterEffect?: boolean;
}

/** Calls that are refused as there are too many, for a while. */
export interface ThrottleFault extends FaultTarget {
  /** The kind of fault. */
  readonly kind: "throttle";
  /** For how long from now on, in seconds of the double's clock. */
  readonly durationSeconds: number;
}

/** A message of a standard queue that is delivered once more. */
export interface DuplicateFault extends FaultTarget {
  /** The kind of fault; it hits each message that a receive brings. */
  readonly kind: "duplicate";
  /**
   * After how many seconds it is there again, in flight or deleted.
   *
   * @default {0} at the next receive
   */
  readonly delaySeconds?: number;
}

/** A call that has its effect at once, and whose answer comes late. */
export interface LateAnswerFault extends FaultTarget {
  /** The kind of fault. Receives that bring nothing are not hit. */
  readonly kind: "late answer";
  /**
   * How late, in seconds of the double's clock. `Infinity` is never: for
   * receives alone, which give up by themselves.
   */
  readonly delaySeconds: number;
}

/**
 * A receipt handle that SQS takes for expired: its message is visible again.
 */
export interface ExpiredHandleFault extends FaultTarget {
  /** The kind of fault; it hits each entry of deletes and visibility changes. */
  readonly kind: "expired handle";
}

/** A receive of a standard queue that brings visible messages in any order. */
export interface ReorderingFault extends FaultTarget {
  /** The kind of fault. */
  readonly kind: "reordering";
}

/** What goes wrong. */
export type Fault =
  | ErrorFault
  | LostAnswerFault
  | PartialFailureFault
  | ThrottleFault
  | DuplicateFault
  | LateAnswerFault
  | ExpiredHandleFault
  | ReorderingFault;

/** A fault that is in force until it is removed, or has hit often enough. */
export interface InjectedFault extends Disposable {
  /** How often it has hit. */
  readonly hits: number;
  /** Ends it. */
  remove(): void;
}

/** A fault that hit. */
export interface FaultHit {
  /** The time of the double's clock. */
  readonly at: Date;
  /** What went wrong. */
  readonly kind: Fault["kind"];
  /** The operation that it hit. */
  readonly operation: FaultOperation;
  /** The queue's name. */
  readonly queue: string;
  /** The bodies of the messages that it hit. */
  readonly bodies: readonly string[];
}

/** The operations that each kind of fault can hit, and its own options. */
const KINDS: Readonly<
  Record<
    Fault["kind"],
    { operations: readonly FaultOperation[]; options: readonly string[] }
  >
> = {
  "error": { operations: operations(), options: ["code", "senderFault"] },
  "lost answer": { operations: operations(), options: [] },
  "partial failure": {
    operations: ["SendMessage", "DeleteMessage", "ChangeMessageVisibility"],
    options: ["entries", "afterEffect"],
  },
  "throttle": { operations: operations(), options: ["durationSeconds"] },
  "duplicate": { operations: ["ReceiveMessage"], options: ["delaySeconds"] },
  "late answer": { operations: operations(), options: ["delaySeconds"] },
  "expired handle": {
    operations: ["DeleteMessage", "ChangeMessageVisibility"],
    options: [],
  },
  "reordering": { operations: ["ReceiveMessage"], options: [] },
};

/** The kinds that SQS rules out on FIFO queues. */
const STANDARD_ONLY: ReadonlySet<string> = new Set(["duplicate", "reordering"]);

const TARGET_OPTIONS = ["kind", "operation", "queue", "times", "probability"];

/** The queue that a call is about. */
interface CalledQueue {
  readonly name: string;
  readonly fifo: boolean;
}

interface Call {
  readonly operation: FaultOperation;
  readonly queue: CalledQueue;
}

class ScriptedFault implements InjectedFault {
  readonly fault: Fault;
  readonly untilMs: number;
  hits = 0;
  removed = false;
  readonly #operations: ReadonlySet<FaultOperation>;
  readonly #times: number;

  constructor(fault: Fault, nowMs: number) {
    this.fault = fault;
    const {
      operation = KINDS[fault.kind].operations.filter((each) =>
        !each.startsWith("GetQueue")
      ),
    } = fault;
    this.#operations = new Set(
      typeof operation === "string" ? [operation] : operation,
    );
    this.untilMs = fault.kind === "throttle"
      ? nowMs + fault.durationSeconds * 1000
      : Infinity;
    const once = fault.probability === undefined && fault.kind !== "throttle";
    this.#times = fault.times ?? (once ? 1 : Infinity);
  }

  get spent(): boolean {
    return this.removed || this.hits >= this.#times;
  }

  matches({ operation, queue }: Call, entries: number): boolean {
    const { kind, queue: name } = this.fault;
    const positions = kind === "partial failure"
      ? this.fault.entries
      : undefined;
    return this.#operations.has(operation) &&
      (name === undefined || name === queue.name) &&
      !(queue.fifo && STANDARD_ONLY.has(kind)) &&
      (positions === undefined || positions.some((each) => each < entries));
  }

  remove(): void {
    this.removed = true;
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}

/** The faults that are in force, and those that have hit. */
export class FaultScript {
  /** What hit so far, oldest first. */
  readonly hits: FaultHit[] = [];
  readonly random: Random;
  readonly #clock: Clock;
  #faults: ScriptedFault[] = [];
  /** How many calls wait for the clock. */
  sleeping = 0;
  #fallsAsleep = Promise.withResolvers<void>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.random = random;
  }

  /** Resolves when one more call waits for the clock. */
  get fallsAsleep(): Promise<void> {
    return this.#fallsAsleep.promise;
  }

  /** Waits for the clock. */
  async sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    this.sleeping++;
    this.#fallsAsleep.resolve();
    this.#fallsAsleep = Promise.withResolvers();
    try {
      await sleep(this.#clock, ms, signal);
    } finally {
      this.sleeping--;
    }
  }

  inject(fault: Fault): InjectedFault {
    check(fault);
    const scripted = new ScriptedFault({ ...fault }, this.#clock.now());
    this.#faults.push(scripted);
    return scripted;
  }

  /** The faults of one call. */
  call(operation: FaultOperation, queue: CalledQueue): CallFaults {
    return new CallFaults(this, { operation, queue });
  }

  /** The fault of a kind that hits a call now, if one does. */
  hit<K extends Fault["kind"]>(
    kind: K,
    call: Call,
    bodies: readonly string[],
    hitBodies: (fault: Fault) => readonly string[] = () => bodies,
  ): Extract<Fault, { kind: K }> | undefined {
    if (this.#faults.length === 0) return undefined;
    const now = this.#clock.now();
    this.#faults = this.#faults.filter((each) =>
      !each.spent && each.untilMs > now
    );
    for (const scripted of this.#faults) {
      const { fault } = scripted;
      const { probability = 1 } = fault;
      const hits = fault.kind === kind &&
        scripted.matches(call, bodies.length) &&
        (probability === 1 || this.random() < probability);
      if (!hits) continue;
      scripted.hits++;
      this.hits.push({
        at: new Date(now),
        kind,
        operation: call.operation,
        queue: call.queue.name,
        bodies: hitBodies(fault),
      });
      return fault as Extract<Fault, { kind: K }>;
    }
  }
}

/** An entry that is refused, before or after its effect. */
export interface RefusedEntry {
  readonly failure: EntryFailure;
  readonly afterEffect: boolean;
}

/** What goes wrong with one call. */
export class CallFaults {
  readonly #script: FaultScript;
  readonly #call: Call;

  constructor(script: FaultScript, call: Call) {
    this.#script = script;
    this.#call = call;
  }

  /** The fault of a kind that hits it, if one does. */
  hit<K extends Fault["kind"]>(
    kind: K,
    bodies: readonly string[],
  ): Extract<Fault, { kind: K }> | undefined {
    return this.#script.hit(kind, this.#call, bodies);
  }

  /** Fails before the effect, if it is to. */
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

  /** Comes late or fails after the effect, if it is to. */
  async after(
    bodies: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const late = this.hit("late answer", bodies);
    if (late !== undefined) {
      await this.#script.sleep(late.delaySeconds * 1000, signal);
      signal?.throwIfAborted();
    }
    if (this.hit("lost answer", bodies) !== undefined) {
      throw this.#error(
        "ECONNRESET",
        "a fault of the testing double, after the effect",
      );
    }
  }

  /** The entries of a batch that are refused, by position. */
  refused(bodies: readonly string[]): ReadonlyMap<number, RefusedEntry> {
    let positions: readonly number[] = [];
    const fault = this.#script.hit(
      "partial failure",
      this.#call,
      bodies,
      (fault) => {
        positions =
          (fault as PartialFailureFault).entries?.filter((each) =>
            each < bodies.length
          ) ?? this.#some(bodies.length);
        return positions.map((position) => bodies[position]!);
      },
    );
    const refused: RefusedEntry = {
      failure: {
        code: "InternalError",
        message: "a fault of the testing double",
        senderFault: false,
      },
      afterEffect: fault?.afterEffect ?? false,
    };
    return new Map(positions.map((position) => [position, refused]));
  }

  /** Some positions, one at least. */
  #some(length: number): number[] {
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

function operations(): readonly FaultOperation[] {
  return [
    "GetQueueUrl",
    "GetQueueAttributes",
    "SendMessage",
    "ReceiveMessage",
    "DeleteMessage",
    "ChangeMessageVisibility",
  ];
}

function check(fault: Fault): void {
  const action = "inject fault";
  const kinds = Object.keys(KINDS);
  if (!kinds.includes(fault?.kind)) {
    throw wrong("kind", quoted(kinds), fault?.kind);
  }
  const { operations, options } = KINDS[fault.kind];
  refuseUnknown(fault, [...TARGET_OPTIONS, ...options], action);
  const { operation = [], times = 1, probability = 1, queue } = fault;
  for (const each of typeof operation === "string" ? [operation] : operation) {
    if (!operations.includes(each)) {
      throw wrong("operation", quoted(operations), each);
    }
  }
  if (queue !== undefined && typeof queue !== "string") {
    throw wrong("queue", "the name of a queue", queue);
  }
  if (queue?.endsWith(".fifo") && STANDARD_ONLY.has(fault.kind)) {
    throw new TypeError(
      `Cannot inject fault "${fault.kind}" into "${queue}": SQS rules it out on FIFO queues`,
    );
  }
  if (!Number.isInteger(times) || times < 1) {
    throw range("times", "an integer of 1 or more", times);
  }
  if (!(probability > 0 && probability <= 1)) {
    throw range("probability", "above 0 and up to 1", probability);
  }
  checkOwn(fault);
}

function checkOwn(fault: Fault): void {
  if (fault.kind === "throttle") {
    checkSeconds("durationSeconds", fault.durationSeconds);
  }
  if (fault.kind === "duplicate") {
    checkSeconds("delaySeconds", fault.delaySeconds ?? 0);
  }
  if (fault.kind === "late answer") {
    // Nothing else ends a call that is never answered.
    const mayBeNever = fault.operation !== undefined &&
      [fault.operation].flat().every((each) => each === "ReceiveMessage");
    if (!(mayBeNever && fault.delaySeconds === Infinity)) {
      checkSeconds("delaySeconds", fault.delaySeconds);
    }
  }
  if (fault.kind === "error" && fault.code !== undefined) {
    if (typeof fault.code !== "string" || fault.code === "") {
      throw wrong("code", "the code of an error", fault.code);
    }
  }
  if (fault.kind === "partial failure" && fault.entries !== undefined) {
    const fits = Array.isArray(fault.entries) && fault.entries.length > 0 &&
      fault.entries.every((each) =>
        Number.isInteger(each) && each >= 0 && each <= 9
      );
    if (!fits) {
      throw wrong("entries", "positions from 0 to 9", fault.entries);
    }
  }
}

function checkSeconds(name: string, seconds: number): void {
  if (!(Number.isFinite(seconds) && seconds >= 0)) {
    throw range(name, "a number of seconds, 0 or more", seconds);
  }
}

function wrong(name: string, wanted: string, value: unknown): TypeError {
  return new TypeError(problem(name, wanted, value));
}

function range(name: string, wanted: string, value: unknown): RangeError {
  return new RangeError(problem(name, wanted, value));
}

function problem(name: string, wanted: string, value: unknown): string {
  const shown = typeof value === "number" ? value : JSON.stringify(value);
  return `Cannot inject fault as "${name}" must be ${wanted}: current value is ${shown}`;
}

function quoted(names: readonly string[]): string {
  return `one of ${names.map((name) => `"${name}"`).join(", ")}`;
}
