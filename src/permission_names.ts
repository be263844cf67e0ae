/**
 * The names of Deno's permissions.
 *
 * @module
 */

/** The names as in `--allow-NAME`, in the order in which flags are printed. */
export const PERMISSION_NAMES = [
  "read",
  "write",
  "net",
  "env",
  "sys",
  "run",
  "ffi",
  "import",
] as const;

/** The name of a permission, as in `--allow-NAME`. */
export type PermissionName = typeof PERMISSION_NAMES[number];

/** A URL's host and port, as in Deno's flags. */
export function hostOf({ protocol, hostname, port }: URL): string {
  return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}
