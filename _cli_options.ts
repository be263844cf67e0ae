/**
 * What several commands' options have in common.
 *
 * @module
 */

import { UsageError } from "./_cli_command.ts";
import { CONTAINER_OPTIONS } from "./_container_options.ts";
import { LOCAL_PORT } from "./_local.ts";

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
