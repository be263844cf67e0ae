/**
 * The runtimes beside Deno on which the published files run, at pinned versions
 * from npm.
 *
 * @module
 */

/** Their packages on npm. */
const PACKAGES = {
  Node: "node@24.21.0",
  Bun: "bun@1.4.5",
} as const;

/** A runtime whose program npm brings. */
type NpmRuntime = keyof typeof PACKAGES;

/** The path of a runtime's program. */
export async function programOf(runtime: NpmRuntime): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("npx", {
    args: ["-y", PACKAGES[runtime], "-p", "process.execPath"],
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(decoder.decode(stderr));
  return decoder.decode(stdout).trim();
}
