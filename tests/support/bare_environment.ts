/**
 * An environment without the settings of this machine or of the tests.
 *
 * @module
 */

/** Deno's cache, for programs that are given another home. */
async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

/** An environment without any AWS settings but these. */
export async function bareEnvironment(
  home: string,
  settings: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const others = Object.keys(Deno.env.toObject())
    .filter((name) => name.startsWith("AWS_"));
  return {
    ...Object.fromEntries(others.map((name) => [name, ""])),
    HOME: home,
    DENO_DIR: await denoDir(),
    NODE_EXTRA_CA_CERTS: "",
    AWS_EC2_METADATA_DISABLED: "true",
    RUST_BACKTRACE: "0",
    ...settings,
  };
}
