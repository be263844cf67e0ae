/**
 * Errors as the command line tells them: one or two plain lines, with what to
 * do next, and an exit status.
 *
 * @module
 */

import { InputError, PROGRAM, UsageError } from "./_cli_command.ts";
import { ConnectionError } from "./_connection.ts";
import {
  ConfigError,
  isNotCapable,
  NonExistentQueueError,
  SendError,
} from "./_errors.ts";

/** Done, or stopped as asked. */
export const DONE = 0;
/** Failed at run time. */
export const FAILED = 1;
/** Bad usage or configuration. */
export const USAGE = 2;

/** What is told of an error. */
export interface ErrorReport {
  readonly lines: readonly string[];
  readonly status: number;
}

/**
 * What to tell of an error, and the exit status it means.
 *
 * @param error What was thrown.
 * @param call How the command that threw it is called.
 */
export function describeError(
  error: unknown,
  call: string = PROGRAM,
): ErrorReport {
  if (error instanceof UsageError) {
    return {
      lines: [error.message, `Try ${call} --help`],
      status: USAGE,
    };
  }
  if (error instanceof ConfigError) {
    return { lines: error.problems, status: USAGE };
  }
  if (error instanceof AggregateError) {
    const reports = error.errors.map((each) => describeError(each, call));
    return {
      lines: reports.flatMap(({ lines }) => lines),
      status: Math.max(...reports.map(({ status }) => status)),
    };
  }
  if (error instanceof NonExistentQueueError) {
    return { lines: [firstLine(error)], status: USAGE };
  }
  if (error instanceof InputError) {
    const { hint } = error;
    return {
      lines: [firstLine(error), ...(hint === undefined ? [] : [hint])],
      status: USAGE,
    };
  }
  if (error instanceof ConnectionError || error instanceof SendError) {
    return { lines: [firstLine(error), ...nextStep(error)], status: FAILED };
  }
  if (isNotCapable(error)) {
    return {
      lines: [`A Deno permission is missing: ${firstLine(error as Error)}`],
      status: FAILED,
    };
  }
  return {
    lines: [error instanceof Error ? firstLine(error) : String(error)],
    status: FAILED,
  };
}

/** An error's stack, and those of its causes. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stack = error.stack ?? String(error);
  return error.cause === undefined
    ? stack
    : `${stack}\nCaused by: ${stackOf(error.cause)}`;
}

function nextStep(error: ConnectionError | SendError): string[] {
  switch (error.code) {
    case "CredentialsProviderError":
      return [
        "Give AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run with a role",
      ];
    case "AccessDenied":
      return [
        "Give the identity the rights sqs:GetQueueUrl, sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility; a producer needs sqs:SendMessage, and status sqs:GetQueueAttributes",
      ];
    case "EPERM":
      return permissionHint(error.message);
    case "ECONNREFUSED":
    case "ENOTFOUND":
    case "TimeoutError":
      return ["Check the region and endpoint, and that the server runs"];
    default:
      return [];
  }
}

/** Deno refuses to look a host up in the words of the operating system. */
function permissionHint(message: string): string[] {
  const host = /getaddrinfo EPERM (\S+)/.exec(message)?.[1];
  return host === undefined
    ? []
    : [`A Deno permission is missing: run again with --allow-net=${host}`];
}

function firstLine(error: Error): string {
  return error.message.split("\n")[0] || error.name;
}
