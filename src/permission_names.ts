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
