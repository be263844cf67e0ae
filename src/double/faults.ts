/**
 * The faults that a test may inject into the testing double, and their checks.
 *
 * @module
 */

import { list, quote } from "../text.ts";
import {
  BOOLEAN,
  checkOption,
  checkOptions,
  integer,
  numeric,
  type OptionCheck,
  SECONDS,
} from "./check_options.ts";

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
  readonly options?: Readonly<Record<string, OptionCheck>>;
  /** SQS rules it out on FIFO queues. */
  readonly standardOnly?: boolean;
}

/** Every kind of fault. */
export const FAULT_KINDS: Readonly<Record<Fault["kind"], FaultKind>> = {
  error: {
    operations: ALL_OPERATIONS,
    options: {
      code: {
        wanted: "the code of an error",
        fits: (code) => isText(code) && code !== "",
      },
      senderFault: BOOLEAN,
    },
  },
  lostAnswer: { operations: ALL_OPERATIONS },
  partialFailure: {
    operations: ["SendMessage", ...BY_HANDLE],
    options: {
      entries: { wanted: "positions from 0 to 9", fits: isPositions },
      afterEffect: BOOLEAN,
    },
  },
  throttle: {
    operations: ALL_OPERATIONS,
    options: { durationSeconds: { ...SECONDS, isRequired: true } },
  },
  duplicate: {
    operations: ["ReceiveMessage"],
    options: { delaySeconds: SECONDS },
    standardOnly: true,
  },
  lateAnswer: {
    operations: ALL_OPERATIONS,
    options: { delaySeconds: { ...SECONDS, isRequired: true } },
  },
  expiredHandle: { operations: BY_HANDLE },
  reordering: { operations: ["ReceiveMessage"], standardOnly: true },
};

/** The operations that a fault can hit. */
export function operationsOf(fault: Fault): readonly FaultOperation[] {
  const { kind, operation } = fault;
  if (operation !== undefined) return [operation].flat();
  return FAULT_KINDS[kind].operations.filter((each) =>
    !each.startsWith("GetQueue")
  );
}

/**
 * Checks a fault.
 *
 * @throws {TypeError} If an option is unknown or of a wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function checkFault(fault: Fault): void {
  const action = "inject fault";
  checkOption(action, "kind", fault?.kind, oneOf(Object.keys(FAULT_KINDS)));
  const { kind, operation: _, ...options } = fault;
  const { operations, options: own, standardOnly } = FAULT_KINDS[kind];
  const hit = operationsOf(fault);
  for (const each of hit) {
    checkOption(action, "operation", each, oneOf(operations));
  }
  // A receive gives up on its own. Any other call would never end.
  const mayBeNever = kind === "lateAnswer" && fault.delaySeconds === Infinity &&
    hit.every((each) => each === "ReceiveMessage");
  checkOptions(action, options, {
    queue: { wanted: "the name of a queue", fits: isText },
    times: integer(1),
    probability: numeric(
      "above 0 and up to 1",
      (value) => value > 0 && value <= 1,
    ),
    ...own,
    ...(mayBeNever && { delaySeconds: numeric("Infinity", () => true) }),
  });
  if (standardOnly && fault.queue?.endsWith(".fifo")) {
    throw new TypeError(
      `Cannot ${action} "${kind}" into "${fault.queue}": SQS rules it out on FIFO queues`,
    );
  }
}

function oneOf(names: readonly string[]): OptionCheck {
  return {
    wanted: `one of ${list(names.map(quote))}`,
    fits: (value) => names.includes(value as string),
  };
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isPositions(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 &&
    value.every((each) => Number.isInteger(each) && each >= 0 && each <= 9);
}
