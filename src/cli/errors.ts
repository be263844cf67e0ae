/**
 * Errors as the command line tells them: one or two plain lines, with what to
 * do next, and an exit status.
 *
 * @module
 */

import { InputError, PROGRAM, UsageError } from "./command.ts";
import {
  ConfigError,
  isLoadDenied,
  NonExistentQueueError,
  SendError,
  SqsError,
} from "../errors.ts";

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
export async function describeError(
  error: unknown,
  call: string = PROGRAM,
): Promise<ErrorReport> {
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
    const reports = await Promise.all(
      error.errors.map((each) => describeError(each, call)),
    );
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
  if (error instanceof SqsError || error instanceof SendError) {
    return {
      lines: [firstLine(error), ...await nextStep(error)],
      status: FAILED,
    };
  }
  if (isLoadDenied(error)) {
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

async function nextStep(
  error: SqsError | SendError,
): Promise<string[]> {
  switch (error.code) {
    case "CredentialsProviderError":
      return [
        ...await deniedHint(),
        "Give AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run with a role",
      ];
    case "RegionDenied":
      return [
        `Give a "region" or AWS_REGION, or run again with ${await deniedFlags()}, as far as it is there`,
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

/** The SDK passes over each place of credentials that Deno denies to it. */
async function deniedHint(): Promise<string[]> {
  const flags = await deniedFlags();
  return flags === "" ? [] : [
    `Deno permissions are missing to look for them: run again with ${flags}, as far as they are there`,
  ];
}

/** The flags that let the SDK look wherever it would. */
async function deniedFlags(): Promise<string> {
  const { deniedAccess } = await import("../permissions/credential_chain.ts");
  return deniedAccess().flags().join(" ");
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
