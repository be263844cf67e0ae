/**
 * Schemas of jobs, of any library that implements Standard Schema v1.
 *
 * @module
 */

import { SchemaError } from "../job_errors.ts";
import { callArguments, checkCount } from "../message/body.ts";
import type { BodyFormat, ReadMessage } from "../message/reading.ts";
import { show } from "../text.ts";
import type { BatchHandler } from "./batch_handler.ts";
import { issueLines } from "./schema_issues.ts";
import { callableHint, uncallable } from "./unrun.ts";

/**
 * A schema of any library that implements
 * {@link https://standardschema.dev | Standard Schema} v1, such as zod, valibot
 * and arktype.
 *
 * @typeParam Input The type of what fits the schema.
 * @typeParam Output The type that the schema makes of it.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** What the libraries have in common. */
  readonly "~standard": {
    /** The version of Standard Schema. */
    readonly version: 1;
    /** The library's name. */
    readonly vendor: string;
    /** For TypeScript only. */
    readonly types?:
      | { readonly input: Input; readonly output: Output }
      | undefined;
    /** Checks a value. */
    readonly validate: (
      value: unknown,
    ) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
  };
}

/**
 * What a schema says of a value: its output, or why the value does not fit.
 *
 * @typeParam Output The type of the schema's output.
 */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
    readonly issues: readonly {
      readonly message: string;
      readonly path?:
        | readonly (PropertyKey | { readonly key: PropertyKey })[]
        | undefined;
    }[];
  };

/**
 * The arguments that a schema describes: the members of an array, or one value.
 *
 * @typeParam Value The schema's input or output.
 */
export type SchemaArgs<Value> = [Value] extends [readonly unknown[]] ? Value
  : [value: Value];

/**
 * A handler whose jobs a schema checks.
 *
 * @typeParam Args The types of the handler's arguments.
 * @typeParam Input The types of a job's arguments before the check.
 */
export interface CheckedHandler<
  Args extends readonly unknown[],
  Input extends readonly unknown[],
> {
  /** Calls the handler, without a check. */
  (...args: Args): unknown;
  /** For TypeScript only: {@linkcode JobArgs} takes the types from it. */
  readonly "~jobArgs"?: Input;
}

/** A handler, as far as schemas are concerned. */
// deno-lint-ignore no-explicit-any
type AnyHandler = (...args: any[]) => unknown;

/** Every copy of this package finds a handler's {@linkcode Check} here. */
const CHECK = Symbol.for("zsqs/1/schema");

/** A handler's schema, and the handler as it was given. */
export interface Check {
  readonly schema: StandardSchema;
  readonly handler: AnyHandler;
}

/** The methods of workers that run jobs. */
const METHODS = ["handle", "handleBatch"] as const;

/**
 * Gives a handler a schema. A container then checks each job before the handler
 * runs, and calls the handler with the schema's output.
 *
 * For `body = job`, the schema describes the array of all arguments; keyword
 * arguments come last. For `json` and `text`, it describes the value. A job that
 * does not fit fails with a {@linkcode SchemaError}, whatever its number of
 * attempts. If the schema itself throws, the job ends as if the handler had
 * thrown.
 *
 * @param schema A schema of zod, valibot, arktype or another library that
 * implements Standard Schema v1.
 * @param handler A function. Or a worker: an object with a `handle` or
 * `handleBatch` method.
 * @returns A handler for a container. Called directly, it checks nothing. The
 * given one stays as it is.
 * @throws {TypeError} If one of them is something else, or the handler has a
 * schema.
 *
 * @example Check the arguments of jobs
 * ```ts
 * import { Queue, withSchema } from "@zsqs/cli";
 * import { runContainer } from "@zsqs/cli/container";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 * import { z } from "zod";
 *
 * await using _queues = setUp({ silent: true });
 * const sent: string[] = [];
 * const schema = z.tuple([z.email(), z.coerce.date()]);
 * await runContainer({
 *   queue: "invite",
 *   handler: withSchema(schema, (email, date) => {
 *     sent.push(`${email} at ${date.getUTCHours()}`);
 *   }),
 * });
 *
 * const queue = await Queue("invite");
 * await queue("ann@example.com", "2026-07-01T15:00Z");
 * await queue("nobody", "2026-07-01T15:00Z"); // fails: invalid email
 *
 * assertEquals(sent, ["ann@example.com at 15"]);
 * ```
 */
export function withSchema<Input, Output>(
  schema: StandardSchema<Input, Output>,
  handler: (...args: SchemaArgs<NoInfer<Output>>) => unknown,
): CheckedHandler<SchemaArgs<Output>, SchemaArgs<Input>>;
/** Gives a schema of one value, an array, to its handler. */
export function withSchema<Input, Output>(
  schema: StandardSchema<Input, Output>,
  handler: (value: NoInfer<Output>) => unknown,
): CheckedHandler<[value: Output], [value: Input]>;
/** Gives a schema to a worker's `handle` method. */
export function withSchema<Input, Output>(
  schema: StandardSchema<Input, Output>,
  worker: { handle(...args: SchemaArgs<NoInfer<Output>>): unknown },
): { handle: CheckedHandler<SchemaArgs<Output>, SchemaArgs<Input>> };
/** Gives a schema of one value, an array, to a worker's `handle` method. */
export function withSchema<Input, Output>(
  schema: StandardSchema<Input, Output>,
  worker: { handle(value: NoInfer<Output>): unknown },
): { handle: CheckedHandler<[value: Output], [value: Input]> };
/** Gives a schema to a worker of batches: the output is the `args` of a job. */
export function withSchema<Input, Output>(
  schema: StandardSchema<Input, Output>,
  worker: { handleBatch: BatchHandler<SchemaArgs<NoInfer<Output>>> },
): {
  handleBatch: CheckedHandler<
    Parameters<BatchHandler<SchemaArgs<Output>>>,
    SchemaArgs<Input>
  >;
};
/** Gives a schema of one value, an array, to a worker of batches. */
export function withSchema<Input, Output>(
  schema: StandardSchema<Input, Output>,
  worker: { handleBatch: BatchHandler<[value: NoInfer<Output>]> },
): {
  handleBatch: CheckedHandler<
    Parameters<BatchHandler<[value: Output]>>,
    [value: Input]
  >;
};
export function withSchema(
  schema: StandardSchema,
  worker: AnyHandler | object,
): unknown {
  checkSchema(schema, "give a handler its schema");
  if (typeof worker === "function") {
    return checkedHandler(schema, worker as AnyHandler);
  }
  const given = Object(worker) as Readonly<Record<PropertyKey, unknown>>;
  const checked: Record<PropertyKey, unknown> = {};
  for (const name of METHODS) {
    const method = given[name];
    if (typeof method !== "function") continue;
    checked[name] = checkedHandler(schema, method as AnyHandler, given);
  }
  if (Object.keys(checked).length === 0) {
    throw new TypeError(
      `Cannot give a handler its schema as it is ${
        show(worker)
      }: give a function, or an object with a "handle" or "handleBatch" method`,
    );
  }
  for (const name of [Symbol.asyncDispose, Symbol.dispose]) {
    const method = given[name];
    if (typeof method === "function") checked[name] = method.bind(given);
  }
  return checked;
}

/** The schema that {@linkcode withSchema} of any copy gave a handler. */
export function checkOf(handler: unknown): Check | undefined {
  return typeof handler === "function"
    ? (handler as { readonly [CHECK]?: Check })[CHECK]
    : undefined;
}

/**
 * Refuses anything but a schema.
 *
 * @param schema What was given as one.
 * @param action What fails otherwise, for example `open queue`.
 * @throws {TypeError} If it does not implement Standard Schema v1.
 */
export function checkSchema(schema: unknown, action: string): void {
  // A schema may be a function, as in arktype.
  const standard = Object(Object(schema)["~standard"]);
  const { version, validate } = standard as Record<string, unknown>;
  if (version === 1 && typeof validate === "function") return;
  throw new TypeError(
    version === undefined || version === 1
      ? `Cannot ${action} as "schema" is ${
        show(schema)
      }: give a schema of zod, valibot, arktype or another Standard Schema library`
      : `Cannot ${action} as "schema" implements version ${
        show(version)
      } of Standard Schema: use a library that implements version 1`,
  );
}

/** Which value of a job is checked, and for whom. */
interface CheckOptions {
  /** Jobs are checked as arrays of arguments, other bodies as one value. */
  readonly body: BodyFormat;
  /** What fails otherwise, for example `Cannot send job as it`. */
  readonly subject: string;
}

/**
 * Checks a job. A schema that answers immediately is not awaited.
 *
 * @returns What the handler is called with: the schema's output.
 * @throws {SchemaError} If the job does not fit.
 * @throws {RangeError} If the output has more arguments than a call can have.
 */
export function checkJob(
  schema: StandardSchema,
  read: ReadMessage,
  { body, subject }: CheckOptions,
): readonly unknown[] | Promise<readonly unknown[]> {
  const isJob = body === "job";
  const args = callArguments(read);
  const toArguments = (result: unknown) => {
    const output = outputOf(result, subject, isJob ? "args" : "body");
    if (!isJob || !Array.isArray(output)) return [output];
    checkCount(output.length, "Cannot call the handler");
    return output;
  };
  const result = schema["~standard"].validate(isJob ? args : args[0]);
  return isThenable(result)
    ? Promise.resolve(result).then(toArguments)
    : toArguments(result);
}

function outputOf(result: unknown, subject: string, root: string): unknown {
  const { issues } = Object(result);
  if (issues) {
    throw new SchemaError(
      `${subject} does not fit the schema`,
      issueLines(issues, root),
    );
  }
  if ("value" in Object(result)) return (result as { value: unknown }).value;
  throw new TypeError(
    `The schema's validate() returned ${
      show(result)
    }: a Standard Schema returns an object with "value" or "issues"`,
  );
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof Object(value).then === "function";
}

/** A function with a brand: the given one may have other schemas elsewhere. */
function checkedHandler(
  schema: StandardSchema,
  handler: AnyHandler,
  worker?: object,
): AnyHandler {
  const unrun = uncallable(handler);
  const problem = unrun !== undefined
    ? `it is ${unrun}: ${callableHint(unrun)}`
    : checkOf(handler) !== undefined
    ? "it has one: give it one schema"
    : undefined;
  if (problem !== undefined) {
    throw new TypeError(`Cannot give a handler its schema as ${problem}`);
  }
  const given = worker === undefined ? handler : handler.bind(worker);
  const checked = function (this: unknown, ...args: unknown[]): unknown {
    return Reflect.apply(given, this, args);
  };
  const check: Check = { schema, handler: given };
  return Object.defineProperties(checked, {
    name: { value: handler.name },
    [CHECK]: { value: check },
  });
}
