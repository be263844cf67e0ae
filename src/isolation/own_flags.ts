/**
 * The flags of this program that choose how modules are found. Child processes
 * get them, too.
 *
 * @module
 */

import { readFileSync } from "node:fs";

/** Deno tells no program its flags; on Linux the system does. */
const COMMAND_LINE = "/proc/self/cmdline";

const FLAG = /^(--node-modules-dir|--config|-c|--import-map|--no-config)(=|$)/;

/** The flags whose value may be the next argument. */
const WITH_VALUE = /^(--config|-c|--import-map)$/;

/** The flags of this program; none if it may not look at them. */
export function ownFlags(): string[] {
  if (Deno.build.os !== "linux") return [];
  const query = { name: "read", path: COMMAND_LINE } as const;
  if (Deno.permissions.querySync(query).state !== "granted") return [];
  try {
    const words = readFileSync(COMMAND_LINE, "utf8").split("\0").slice(1, -1);
    return moduleFlags(words, Deno.args.length);
  } catch {
    return []; // Deno may refuse this file to all but programs with all rights.
  }
}

/**
 * The flags that choose how modules are found.
 *
 * @param words Those of the command line after the name of the program.
 * @param count How many of them belong to the program, after its module.
 */
export function moduleFlags(
  words: readonly string[],
  count: number,
): string[] {
  const own = words.slice(0, words.length - count - 1);
  return own.flatMap((word, i) => {
    if (!FLAG.test(word)) return [];
    return WITH_VALUE.test(word) ? [word, own[i + 1]!] : [word];
  });
}
