/**
 * Words of command lines that are printed to be run.
 *
 * @module
 */

/** A word as a POSIX shell takes it, a flag with its value alone in quotes. */
export function shellWord(word: string): string {
  if (/^[\w@%+=:,.\/-]+$/.test(word)) return word;
  const [, flag = "", value = ""] = /^(--[a-z-]+=)?(.*)$/s.exec(word)!;
  return `${flag}'${value.replaceAll("'", `'\\''`)}'`;
}
