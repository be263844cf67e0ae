/**
 * Log records as JSON lines.
 *
 * @module
 */

import type { LogRecord } from "@std/log/logger";
import { errorFields, isError, reasonOf } from "./_log_error.ts";
import { levelName, type RecordFormatter } from "./_log_format.ts";

/** Fields that are added to a record. */
type LogContext = Readonly<Record<string, unknown>>;

/**
 * Makes a formatter that writes a record as one JSON object on one line.
 *
 * @param context Gives more fields, when a record is written. They do not
 * replace the record's own.
 * @returns The formatter, which throws for no value of a field.
 */
export function jsonFormatter(context: () => LogContext): RecordFormatter {
  return (record) => {
    const own = fieldsOf(record);
    try {
      // Twice: the first gives the record's fields their place, the second
      // their values.
      return stringify({ ...own, ...context(), ...own });
    } catch (error) {
      return stringify({ ...own, contextError: reasonOf(error) });
    }
  };
}

function fieldsOf(record: LogRecord): Record<string, unknown> {
  const [error, ...others] = record.args;
  return {
    time: record.datetime.toISOString(),
    level: levelName(record),
    logger: record.loggerName,
    message: record.msg,
    ...(error === undefined ? {} : { error }),
    ...(others.length === 0 ? {} : { otherErrors: others }),
  };
}

/** Writes JSON, with text in place of what JSON cannot hold. */
function stringify(fields: Record<string, unknown>): string {
  const ancestors: unknown[] = [];
  return JSON.stringify(fields, function (this: unknown, _key, value: unknown) {
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null) return value;
    while (ancestors.length > 0 && ancestors.at(-1) !== this) ancestors.pop();
    if (ancestors.includes(value)) return "[circular]";
    const plain = isError(value) ? errorFields(value) : value;
    ancestors.push(plain);
    return plain;
  });
}
