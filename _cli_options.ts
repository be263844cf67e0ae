/**
 * What several commands' options have in common.
 *
 * @module
 */

import { type ParsedOptions, UsageError } from "./_cli_command.ts";
import type { ConnectOptions } from "./_connection.ts";
import { CONTAINER_OPTIONS } from "./_container_options.ts";
import { LOCAL_PORT, LOCAL_REGION } from "./_local.ts";

/** The options with a value that say where a queue is; `local` has none. */
export const WHERE_OPTIONS: readonly string[] = ["region", "endpoint", "port"];

/** What `--help` says of them. */
export const WHERE_HELP = `\
  --region=REGION    the AWS region
  --endpoint=URL     the SQS server
  --local            the server that a container with --local started
  --port=PORT        its port, ${LOCAL_PORT} by default`;

/** Where a command's queues are, as its options say. */
export function whereOf(options: ParsedOptions): ConnectOptions {
  const local = options.has("local");
  if (!local && options.get("port") !== undefined) {
    throw new UsageError("Option --port goes with --local");
  }
  if (local && options.get("endpoint") !== undefined) {
    throw new UsageError("Give --endpoint or --local, not both");
  }
  const port = portOf(options.get("port"));
  const region = options.get("region") ?? (local ? LOCAL_REGION : undefined);
  const endpoint = local ? `http://127.0.0.1:${port}` : options.get("endpoint");
  return {
    local,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

/** The `[container]` options, as `--help` lists them. */
export function optionsHelp(): string {
  const width = Math.max(...CONTAINER_OPTIONS.map(({ name }) => name.length));
  return CONTAINER_OPTIONS.map((option) => {
    const value = option.default === undefined
      ? option.required === undefined ? "" : "; required"
      : typeof option.default === "function"
      ? ""
      : `; ${option.default} by default`;
    return `  ${option.name.padEnd(width)}  ${option.meaning}${value}`;
  }).join("\n");
}

/** The port that `--port` names. */
export function portOf(text: string | undefined): number {
  return text === undefined ? LOCAL_PORT : integerOf("port", text, 0, 65_535);
}

/** An option's value as a whole number within limits. */
export function integerOf(
  name: string,
  text: string,
  min: number,
  max: number,
): number {
  const value = /^(?:0|[1-9]\d*)$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) {
    throw new UsageError(
      `Option --${name} must be an integer from ${min} to ${max}: current value is "${text}"`,
    );
  }
  return value;
}
