/**
 * Errors on the command line: one or two plain lines, with the next step, and
 * an exit status.
 *
 * @module
 */

import {
  ConfigError,
  isLoadDenied,
  messageOf,
  NonExistentQueueError,
  SendError,
  SqsError,
} from "../errors.ts";
import { encodeError, errorText } from "../logging/error_data.ts";
import { isError } from "../logging/value_text.ts";
import { PROGRAM, UsageError } from "./command.ts";
import type { Output } from "./screen.ts";

export const DONE = 0;
export const FAILED = 1;
export const USAGE = 2;

const NODE_MODULES_HINT =
  'The package.json here makes Deno look for packages in node_modules: rerun with "deno run --node-modules-dir=none"';

/** An error as the command line shows it. */
interface ErrorReport {
  readonly lines: readonly string[];
  readonly status: number;
}

/** Writes an error to standard error, and returns the exit status. */
export async function printError(
  error: unknown,
  io: Output,
  { debug, ...how }: DescribeOptions & { readonly debug: boolean },
): Promise<number> {
  const { lines, status } = await describeError(error, how);
  for (const line of lines) io.stderr({ text: line, style: "red" });
  if (debug) stackOf(error).forEach((text) => io.stderr(text));
  return status;
}

/** An error's stack and causes in one text, for `--debug`. */
export function stackOf(error: unknown): string[] {
  return isError(error) ? [errorText(encodeError(error))] : [];
}

/** Options of {@linkcode describeError}. */
interface DescribeOptions {
  /** The call of the command, for the hint at its help. */
  readonly call?: string;
  /** Whether it was called with `--local`. */
  readonly local?: boolean;
}

/** Describes an error in a few lines. */
export async function describeError(
  error: unknown,
  how: DescribeOptions = {},
): Promise<ErrorReport> {
  if (!isError(error)) return { lines: [messageOf(error)], status: FAILED };
  if (error instanceof AggregateError) {
    const reports = await Promise.all(
      error.errors.map((each) => describeError(each, how)),
    );
    return {
      lines: reports.flatMap(({ lines }) => lines),
      status: Math.max(...reports.map(({ status }) => status)),
    };
  }
  const line = messageOf(error).split("\n")[0]!;
  const hint = / in the node_modules directory\b/.test(line)
    ? [NODE_MODULES_HINT]
    : [];
  if (error instanceof UsageError) {
    const help = `Try ${how.call ?? PROGRAM} --help`;
    return { lines: [line, help], status: USAGE };
  }
  if (error instanceof ConfigError) {
    return { lines: [...error.problems, ...hint], status: USAGE };
  }
  if (hint.length > 0) return { lines: [line, ...hint], status: FAILED };
  // Functions refuse arguments with these; they came from the command line.
  const refused = [NonExistentQueueError, TypeError, RangeError];
  if (refused.some((type) => error instanceof type)) {
    return { lines: [line], status: USAGE };
  }
  if (error instanceof SqsError || error instanceof SendError) {
    return { lines: [line, ...await nextStep(error, how)], status: FAILED };
  }
  const what = isLoadDenied(error) ? "A Deno permission is missing: " : "";
  return { lines: [what + line], status: FAILED };
}

async function nextStep(
  error: SqsError | SendError,
  { local = false }: DescribeOptions,
): Promise<string[]> {
  switch (error.code) {
    case "CredentialsProviderError": {
      const flags = await deniedFlags();
      const denied = `Deno denies some places to look for them: rerun with `;
      return [
        ...flags === "" ? [] : [denied + flags],
        "Give AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run with a role",
      ];
    }
    case "RegionDenied":
      return [
        `Give a "region" or AWS_REGION, or rerun with ${await deniedFlags()}`,
      ];
    case "AccessDenied": {
      // S3's errors name the right themselves.
      if (/\bs3:\w+Object\b/.test(error.message)) return [];
      const action = /\b([A-Z]\w+) failed: /.exec(error.message)?.[1] ??
        "ACTION";
      return [
        `Allow this identity to call sqs:${action}: docs/permissions.md lists the rights`,
      ];
    }
    case "EPERM": {
      // Deno denies the look-up of a host as the operating system would.
      const host = /getaddrinfo EPERM (\S+)/.exec(error.message)?.[1];
      return host === undefined
        ? []
        : [`A Deno permission is missing: rerun with --allow-net=${host}`];
    }
    case "ECONNREFUSED":
    case "ENOTFOUND":
    case "TimeoutError":
      return [
        local
          ? `Start the server first: ${PROGRAM} --local CONFIG.ini`
          : "Check the region and endpoint, and that the server runs",
      ];
    default:
      return [];
  }
}

/** The flags that let the SDK look wherever it would. */
async function deniedFlags(): Promise<string> {
  const { deniedAccess } = await import("../permissions/credential_chain.ts");
  return (await deniedAccess()).flags().join(" ");
}
