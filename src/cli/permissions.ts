/**
 * `zsqs permissions config.ini...`: prints the command line that runs
 * containers with the Deno permissions that they need, and no others.
 *
 * @module
 */

import { type Command, type ParsedOptions, UsageError } from "./command.ts";
import { DONE } from "./errors.ts";
import { shellWord } from "./shell_word.ts";
import type { Output } from "./screen.ts";
import { ConfigError } from "../errors.ts";
import { deno, RUNTIME } from "../runtime.ts";
import { readContainerConfig } from "../config/ini_config.ts";
import type { PermissionSet } from "../permissions/permission_set.ts";

export const PERMISSIONS: Command = {
  name: "permissions",
  summary: "Print the deno command line with the fewest permissions that work.",
  brief: "print the Deno permissions that they need",
  usage: ["CONFIG.ini..."],
  about: `\
Run it where the containers will run: in the same folder and environment, as
these decide about credentials, region and log files. It reads the files and
lists the modules that workers and hooks import. It runs none of them, and calls
no queue. The command line goes to standard output, hints about it to standard
error.`,
  options: [],
  exitStatus: "0 done, 1 failed, 2 the configuration is wrong.",
  missing: "No ini file given: name the files to run",
  run: permissions,
};

async function permissions(
  options: ParsedOptions,
  io: Output,
): Promise<number> {
  const { positional: files } = options;
  if (deno === undefined) {
    throw new ConfigError(
      `Cannot print permissions on ${RUNTIME}, as only Deno has them: run "deno run -A jsr:@zsqs/cli permissions ${
        files.join(" ")
      }"`,
    );
  }
  if (deno.build.standalone) {
    throw new UsageError(
      "A compiled program keeps the permissions of deno compile: run this command with deno, and compile with the flags that it prints",
    );
  }
  const configs = await Promise.all(files.map(readContainerConfig));
  const { permissionsOf } = await import("../permissions/needed.ts");
  const { permissions, hints } = await permissionsOf(configs);
  const flags = permissions.flags();
  const words = ["deno", "run", ...flags, "jsr:@zsqs/cli", ...files];
  io.stdout(words.map(shellWord).join(" "));
  for (const hint of [...hintsOn(permissions), ...hints]) io.stderr(hint);
  return DONE;
}

function hintsOn(permissions: PermissionSet): string[] {
  const paths = [...permissions.values("read"), ...permissions.values("write")];
  const split = new Set(paths.filter((path) => path.includes(",")));
  return [
    ...[...split].map((path) =>
      `The line grants the folder of ${path}, as Deno accepts no path with a comma`
    ),
    ...permissions.hasAll("sys")
      ? [
        "The line grants all of --allow-sys as NODE_EXTRA_CA_CERTS is set: with DENO_CERT, less is enough",
      ]
      : [],
  ];
}
