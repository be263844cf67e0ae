/**
 * Which messages `zsqs failed` works on: `--error`, `--id`, `--older-than` and
 * `--limit`.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import { errorOf, failedAtMs, isMessage } from "../operate/failed_message.ts";
import type { FailedWorkOptions } from "../operate/failed_work.ts";
import {
  type CommandOption,
  integerOf,
  type ParsedOptions,
  UsageError,
} from "./command.ts";

/** The most messages that `--limit` can name. */
const MAX_LIMIT = 1_000_000_000;

const SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  min: 60,
  h: 3600,
  d: 86_400,
};

export const SELECTION_OPTIONS: readonly CommandOption[] = [
  {
    name: "error",
    value: "PATTERN",
    meaning: `only messages whose "ERROR: MESSAGE" contains this text,
in upper or lower case, or matches /REGULAR EXPRESSION/.
SQS's own dead letters carry no error`,
  },
  {
    name: "id",
    value: "ID",
    meaning: "only this message, by its id here or before; may be repeated",
  },
  {
    name: "older-than",
    value: "AGE",
    meaning: "only messages that failed so long ago: 30s, 10min, 2h, 7d",
  },
  { name: "limit", value: "N", meaning: "at most so many messages" },
];

export type Selection = Pick<FailedWorkOptions, "selects" | "limit">;

/** Reads the options; without any, all messages are selected. */
export function selectionOf(options: ParsedOptions): Selection {
  const tests = [
    errorTest(options.get("error")),
    idTest([...options.all("id"), ...options.all("show")]),
    ageTest(options.get("older-than")),
  ].filter((test) => test !== undefined);
  const limit = options.get("limit") ??
    (options.get("show") === undefined ? undefined : "1");
  return {
    selects: tests.length === 0
      ? undefined
      : (message, nowMs) => tests.every((test) => test(message, nowMs)),
    limit: limit === undefined
      ? undefined
      : integerOf("limit", limit, 1, MAX_LIMIT),
  };
}

/** Tells whether a message is one of those. */
type Test = NonNullable<Selection["selects"]>;

/** Reads text in upper or lower case, or `/EXPRESSION/`. */
function errorTest(text: string | undefined): Test | undefined {
  if (text === undefined) return undefined;
  const matches = patternOf(text);
  return (message) => {
    const error = errorOf(message);
    return error !== undefined && matches(error);
  };
}

function patternOf(text: string): (error: string) => boolean {
  const [, source, flags = ""] = /^\/(.+)\/(i?)$/s.exec(text) ?? [];
  if (source === undefined) {
    const wanted = text.toLowerCase();
    return (error) => error.toLowerCase().includes(wanted);
  }
  try {
    const regExp = new RegExp(source, `u${flags}`);
    return (error) => regExp.test(error);
  } catch (error) {
    throw new UsageError(
      `Option --error must be text or a /REGULAR EXPRESSION/: ${
        messageOf(error)
      }`,
    );
  }
}

function idTest(ids: readonly string[]): Test | undefined {
  if (ids.length === 0) return undefined;
  return (message) => ids.some((id) => isMessage(message, id));
}

function ageTest(text: string | undefined): Test | undefined {
  if (text === undefined) return undefined;
  const [, count, unit = "s"] = /^(\d{1,9})\s?(s|min|h|d)?$/.exec(text) ?? [];
  if (count === undefined) {
    throw new UsageError(
      `Option --older-than must be a number with s, min, h or d: current value is "${text}"`,
    );
  }
  const ms = Number(count) * SECONDS[unit]! * 1000;
  return (message, nowMs) => {
    const failedMs = failedAtMs(message);
    return failedMs !== undefined && nowMs - failedMs >= ms;
  };
}
