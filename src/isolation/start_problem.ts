/**
 * Errors of isolated workers, with the option that a user can change.
 *
 * @module
 */

import { LostJobError } from "../job_errors.ts";
import { PERMISSION_KEYS } from "../config/options.ts";
import { ConfigError, isLoadDenied, messageOf } from "../errors.ts";
import type { Outcome } from "../job/decide.ts";
import type { BatchOutcome } from "../job/runner.ts";

/**
 * The error of a worker that a process cannot load or make.
 *
 * @param thrown What was thrown, here or in the child.
 * @param subject The worker, as messages name it.
 */
export function startProblem(thrown: unknown, subject: string): unknown {
  const error = withOption(thrown);
  if (error instanceof LostJobError) {
    return new Error(
      `Cannot start worker ${subject}: ${
        error.message.replace(/^Its/, "its")
      } before it was ready`,
      { cause: error },
    );
  }
  return isLoadDenied(error)
    ? new ConfigError(
      `Cannot start container as worker ${subject} failed: ${messageOf(error)}`,
      { cause: error },
    )
    : error;
}

/** Adds the option to an error that names a flag of Deno's. */
function withOption(error: unknown): unknown {
  if (!isLoadDenied(error)) return error;
  const add = (text = "") =>
    text.replace(
      /run again with the --allow-([a-z]+) flag/,
      (hint, name) =>
        Object.hasOwn(PERMISSION_KEYS, name)
          ? `${hint}, or give "allow_${name}" in [container]`
          : hint,
    );
  const { message, stack } = error as Error;
  return Object.assign(error as Error, {
    message: add(message),
    stack: add(stack),
  });
}

/** Outcomes whose errors name the option that helps, if there is one. */
export function explained({ outcome, own }: BatchOutcome): BatchOutcome {
  return {
    outcome: explainedOutcome(outcome),
    own: own?.map(({ position, outcome }) => ({
      position,
      outcome: explainedOutcome(outcome),
    })),
  };
}

function explainedOutcome(outcome: Outcome): Outcome {
  return "error" in outcome
    ? { ...outcome, error: withOption(outcome.error) }
    : outcome;
}
