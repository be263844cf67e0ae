/**
 * The faults that a test may inject into the testing double, and their checks.
 *
 * @module
 */

import { refuseUnknown } from "../options.ts";
import { list, quote, show } from "../text.ts";

/** SQS's operations by their names in its documentation, batches included. */
export type FaultOperation =
  | "GetQueueUrl"
  | "GetQueueAttributes"
  | "SendMessage"
  | "ReceiveMessage"
  | "DeleteMessage"
  | "ChangeMessageVisibility";

/** Which calls a fault hits, and how often. */
export interface FaultTarget {
  /**
   * The operation, or several.
   *
   * @default {undefined} all operations that the kind of fault can hit, except
   * `GetQueueUrl` and `GetQueueAttributes`, which open a queue
   */
  readonly operation?: FaultOperation | readonly FaultOperation[] | undefined;
  /**
   * The queue's name.
   *
   * @default {undefined} every queue
   */
  readonly queue?: string | undefined;
  /**
   * How often the fault hits, 1 or more.
   *
   * @default {undefined} once; without end if `probability` or
   * `durationSeconds` is set
   */
  readonly times?: number | undefined;
  /**
   * How likely the fault hits a call, above 0 and up to 1. The double draws
   * from its seed.
   *
   * @default {1}
   */
  readonly probability?: number | undefined;
}

/** What goes wrong: the kind of fault with its own options, and its target. */
export type Fault =
  & FaultTarget
  & (
    | {
      /** A call fails before it has any effect. */
      readonly kind: "error";
      /**
       * The error's code, from SQS or from the network.
       *
       * @default {"InternalError"}
       */
      readonly code?: string | undefined;
      /**
       * Whether SQS blames the sender.
       *
       * @default {false}
       */
      readonly senderFault?: boolean | undefined;
    }
    | {
      /**
       * A call has its effect, but its answer is lost. Receives that return no
       * message are not hit.
       */
      readonly kind: "lostAnswer";
    }
    | {
      /** SQS refuses some entries of a send, delete or visibility change. */
      readonly kind: "partialFailure";
      /**
       * The positions of the refused entries, from 0 to 9.
       *
       * @default {undefined} at least one entry, drawn from the double's seed
       */
      readonly entries?: readonly number[] | undefined;
      /**
       * Whether the refused entries take effect nevertheless.
       *
       * @default {false}
       */
      readonly afterEffect?: boolean | undefined;
    }
    | {
      /** SQS refuses all calls for a while, as there are too many. */
      readonly kind: "throttle";
      /** How long, in seconds of the double's clock, starting now. */
      readonly durationSeconds: number;
    }
    | {
      /** A receive's message is delivered once more. Standard queues only. */
      readonly kind: "duplicate";
      /**
       * The delay of the second delivery, in seconds. It comes even if the
       * message is in flight or deleted.
       *
       * @default {0} at the next receive
       */
      readonly delaySeconds?: number | undefined;
    }
    | {
      /**
       * A call takes effect immediately, but its answer comes late. Receives
       * that return no message are not hit.
       */
      readonly kind: "lateAnswer";
      /**
       * The delay of the answer, in seconds of the double's clock. Only receives
       * may have `Infinity`: they give up on their own.
       */
      readonly delaySeconds: number;
    }
    | {
      /**
       * SQS refuses a delete or a visibility change, as the receipt handle has
       * expired. The message is visible again.
       */
      readonly kind: "expiredHandle";
    }
    | {
      /**
       * A receive returns visible messages in any order. Standard queues only.
       */
      readonly kind: "reordering";
    }
  );

/** The fault of one kind. */
export type FaultOf<K extends Fault["kind"]> = Extract<Fault, { kind: K }>;

/** An injected fault. It ends when disposed, removed, or when it hit enough. */
export interface InjectedFault extends Disposable {
  /** How often it has hit. */
  readonly hits: number;
  /** Ends the fault. */
  remove(): void;
}

/** One hit of a fault. */
export interface FaultHit {
  /** The time of the double's clock. */
  readonly at: Date;
  /** What went wrong. */
  readonly kind: Fault["kind"];
  /** The operation that the fault hit. */
  readonly operation: FaultOperation;
  /** The queue's name. */
  readonly queue: string;
  /** The bodies of the messages that the fault hit. */
  readonly bodies: readonly string[];
}

const ALL_OPERATIONS: readonly FaultOperation[] = [
  "GetQueueUrl",
  "GetQueueAttributes",
  "SendMessage",
  "ReceiveMessage",
  "DeleteMessage",
  "ChangeMessageVisibility",
];

const BY_HANDLE: readonly FaultOperation[] = [
  "DeleteMessage",
  "ChangeMessageVisibility",
];

interface FaultKind {
  /** The operations that it can hit. */
  readonly operations: readonly FaultOperation[];
  /** The options of this kind only. */
  readonly options: readonly string[];
  /** SQS rules it out on FIFO queues. */
  readonly standardOnly?: boolean;
}

/** Every kind of fault. */
export const FAULT_KINDS: Readonly<Record<Fault["kind"], FaultKind>> = {
  error: { operations: ALL_OPERATIONS, options: ["code", "senderFault"] },
  lostAnswer: { operations: ALL_OPERATIONS, options: [] },
  partialFailure: {
    operations: ["SendMessage", ...BY_HANDLE],
    options: ["entries", "afterEffect"],
  },
  throttle: { operations: ALL_OPERATIONS, options: ["durationSeconds"] },
  duplicate: {
    operations: ["ReceiveMessage"],
    options: ["delaySeconds"],
    standardOnly: true,
  },
  lateAnswer: { operations: ALL_OPERATIONS, options: ["delaySeconds"] },
  expiredHandle: { operations: BY_HANDLE, options: [] },
  reordering: {
    operations: ["ReceiveMessage"],
    options: [],
    standardOnly: true,
  },
};

/** The operations that a fault names. */
export function namedOperations(
  { operation }: FaultTarget,
): readonly FaultOperation[] | undefined {
  return typeof operation === "string" ? [operation] : operation;
}

/**
 * Checks a fault.
 *
 * @throws {TypeError} If an option is unknown or of a wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function checkFault(fault: Fault): void {
  if (!Object.hasOwn(FAULT_KINDS, String(fault?.kind))) {
    throw wrong("kind", oneOf(Object.keys(FAULT_KINDS)), fault?.kind);
  }
  const { kind } = fault;
  const { operations, options, standardOnly } = FAULT_KINDS[kind];
  refuseUnknown(
    fault,
    ["kind", "operation", "queue", "times", "probability", ...options],
    "inject fault",
  );
  const { times = 1, probability = 1, queue } = fault;
  for (const each of namedOperations(fault) ?? []) {
    if (!operations.includes(each)) {
      throw wrong("operation", oneOf(operations), each);
    }
  }
  if (queue !== undefined && typeof queue !== "string") {
    throw wrong("queue", "the name of a queue", queue);
  }
  if (standardOnly && queue?.endsWith(".fifo")) {
    throw new TypeError(
      `Cannot inject fault "${kind}" into "${queue}": SQS rules it out on FIFO queues`,
    );
  }
  if (!Number.isInteger(times) || times < 1) {
    throw outOfRange("times", "an integer of 1 or more", times);
  }
  if (!(probability > 0 && probability <= 1)) {
    throw outOfRange("probability", "above 0 and up to 1", probability);
  }
  checkOwnOptions(fault);
}

/** Checks the options of the fault's kind. */
function checkOwnOptions(fault: Fault): void {
  switch (fault.kind) {
    case "error":
      if (typeof (fault.code ?? "x") !== "string" || fault.code === "") {
        throw wrong("code", "the code of an error", fault.code);
      }
      checkBoolean("senderFault", fault.senderFault);
      break;
    case "partialFailure":
      checkEntries(fault.entries);
      checkBoolean("afterEffect", fault.afterEffect);
      break;
    case "throttle":
      checkSeconds("durationSeconds", fault.durationSeconds);
      break;
    case "duplicate":
      checkSeconds("delaySeconds", fault.delaySeconds ?? 0);
      break;
    case "lateAnswer": {
      // A receive gives up on its own. Any other call would hang forever.
      const mayBeNever = namedOperations(fault)?.every((each) =>
        each === "ReceiveMessage"
      );
      if (!(mayBeNever && fault.delaySeconds === Infinity)) {
        checkSeconds("delaySeconds", fault.delaySeconds);
      }
    }
  }
}

function checkEntries(entries: readonly number[] | undefined): void {
  if (entries === undefined) return;
  const fits = Array.isArray(entries) && entries.length > 0 &&
    entries.every((each) => Number.isInteger(each) && each >= 0 && each <= 9);
  if (!fits) throw wrong("entries", "positions from 0 to 9", entries);
}

function checkBoolean(name: string, value: unknown): void {
  if (value === undefined || typeof value === "boolean") return;
  throw wrong(name, "a boolean", value);
}

function checkSeconds(name: string, seconds: number): void {
  if (Number.isFinite(seconds) && seconds >= 0) return;
  throw outOfRange(name, "a number of seconds, 0 or more", seconds);
}

function wrong(name: string, wanted: string, value: unknown): TypeError {
  return new TypeError(problem(name, wanted, value));
}

function outOfRange(name: string, wanted: string, value: unknown): RangeError {
  return new RangeError(problem(name, wanted, value));
}

function problem(name: string, wanted: string, value: unknown): string {
  return `Cannot inject fault as "${name}" must be ${wanted}: current value is ${
    Array.isArray(value) ? JSON.stringify(value) : show(value)
  }`;
}

function oneOf(names: readonly string[]): string {
  return `one of ${list(names.map(quote))}`;
}
