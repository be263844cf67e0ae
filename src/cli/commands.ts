/**
 * The commands, in the order of the help.
 *
 * @module
 */

import { CHECK } from "./check.ts";
import type { Command } from "./command.ts";
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
