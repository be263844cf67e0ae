/**
 * The commands, in the order of the help.
 *
 * @module
 */

import { quote, suggest } from "../text.ts";
import { CHECK } from "./check.ts";
import { type Command, PROGRAM, UsageError } from "./command.ts";
import { FAILED_COMMAND } from "./failed.ts";
import { INIT } from "./init.ts";
import { PERMISSIONS } from "./permissions.ts";
import { SEND } from "./send.ts";
import { STATUS } from "./status.ts";
import { WEB } from "./web.ts";

/** All but running containers, which has no name. */
export const COMMANDS: readonly Command[] = [
  INIT,
  CHECK,
  PERMISSIONS,
  SEND,
  STATUS,
  FAILED_COMMAND,
  WEB,
];

/** The error about a word where a command is wanted. */
export function noCommand(word: string, wanted = "command"): UsageError {
  const names = COMMANDS.map(({ name }) => name);
  const hint = suggest(word, names, "commands");
  return new UsageError(`There is no ${wanted} ${quote(word)}: ${hint}`);
}

/** Refuses options before the command, which would be taken for options of a run. */
export function refuseLateCommand(words: readonly string[]): void {
  const word = words.find((each) => !each.startsWith("-"));
  if (word === words[0] || !COMMANDS.some(({ name }) => name === word)) return;
  throw new UsageError(
    `The command ${word} must come first: write ${PROGRAM} ${word}, then its options`,
  );
}
