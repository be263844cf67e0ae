/**
 * `zsqs permissions config.ini...`: prints the command line that runs
 * containers with the Deno permissions that they need, and no others.
 *
 * @module
 */

import {
  type Command,
  type Io,
  type ParsedOptions,
  PROGRAM,
  UsageError,
} from "./command.ts";
import { DONE } from "./errors.ts";
import { readConfig } from "../config/ini_config.ts";
import type { Rights } from "../permissions/permission_set.ts";

const HELP =
  `Print the command line that runs containers with no more Deno permissions than
they need.

Usage:
  ${PROGRAM} permissions CONFIG.ini...

Run it where the containers will run: in the same folder and environment, as
those say where credentials, region and log files are. It reads the files and
lists what the workers import; it runs no worker and calls no queue. The line
goes to standard output, what there is to know about it to standard error.

Options:
  --debug   print stacks with errors
  --help    print this

Exit status: 0 done, 1 failed, 2 the configuration is wrong.`;

/** Prints the command line with the narrowest flags that work. */
export const PERMISSIONS: Command = {
  help: HELP,
  boolean: [],
  string: [],
  run: permissions,
};

async function permissions(options: ParsedOptions, io: Io): Promise<number> {
  const { positional: files } = options;
  if (files.length === 0) {
    throw new UsageError("No ini file given: name the files to run");
  }
  if (Deno.build.standalone) {
    throw new UsageError(
      "A compiled program has the permissions that it was compiled with: give those that it prints when it is run by deno",
    );
  }
  const configs = await Promise.all(files.map(readConfig));
  const { permissionsOf } = await import("../permissions/permissions.ts");
  const { rights, hints } = await permissionsOf(configs);
  io.stdout(commandLine(rights.flags(), files));
  for (const hint of [...hintsOn(rights), ...hints]) io.stderr(hint);
  return DONE;
}

function hintsOn(rights: Rights): string[] {
  const paths = [...rights.of("read"), ...rights.of("write")];
  const split = new Set(paths.filter((path) => path.includes(",")));
  return [
    ...[...split].map((path) =>
      `The folder of ${path} is granted, as Deno takes no path with a comma`
    ),
    ...rights.has("sys")
      ? [
        "All of --allow-sys is granted, as NODE_EXTRA_CA_CERTS is set: DENO_CERT with the same file needs less",
      ]
      : [],
  ];
}

function commandLine(
  flags: readonly string[],
  files: readonly string[],
): string {
  return ["deno", "run", ...flags, "jsr:@zsqs/cli", ...files].map(quoted)
    .join(" ");
}

/** A word as a POSIX shell takes it, a flag with its value alone in quotes. */
function quoted(word: string): string {
  if (/^[\w@%+=:,.\/-]+$/.test(word)) return word;
  const [, flag = "", value = ""] = /^(--[a-z-]+=)?(.*)$/s.exec(word)!;
  return `${flag}'${value.replaceAll("'", `'\\''`)}'`;
}
