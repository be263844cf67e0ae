/**
 * The flags that children take over from their container.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { moduleFlags } from "../../src/isolation/own_flags.ts";
import { TestProcess } from "../support/server.ts";

Deno.test("moduleFlags() finds the flags that choose modules", () => {
  const flags = (line: string, count = 0) =>
    moduleFlags(line.split(" "), count);
  assertEquals(flags("run -A main.ts"), []);
  assertEquals(
    flags("run -A --node-modules-dir=none --config deno.json main.ts"),
    ["--node-modules-dir=none", "--config", "deno.json"],
  );
  assertEquals(flags("run -c=a.json --import-map=b.json -q main.ts"), [
    "-c=a.json",
    "--import-map=b.json",
  ]);
  // What follows the module is the program's own.
  assertEquals(flags("run -A main.ts --config other.json", 2), []);
});

Deno.test({
  name: "ownFlags() reads the flags of its program",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const url = new URL("../../src/isolation/own_flags.ts", import.meta.url);
    const code = `import { ownFlags } from "${url}"; console.log(ownFlags());`;
    const module = `data:text/javascript,${encodeURIComponent(code)}`;
    const run = async (...flags: string[]) => {
      const args = ["run", "-q", "--no-prompt", ...flags, module, "--config"];
      await using program = new TestProcess(args, { cwd: "/" });
      assertEquals(await program.status(), 0, program.stderr);
      return program.stdout.trim();
    };
    assertEquals(
      await run("-A", "--node-modules-dir=none"),
      '[ "--node-modules-dir=none" ]',
    );
    assertEquals(await run("--allow-import", "--node-modules-dir=none"), "[]");
  },
});
