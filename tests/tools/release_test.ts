/**
 * Releases: the check that a tag, the version and the changelog agree, and the
 * workflow that publishes.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { releaseProblems } from "../../tools/release.ts";
import { TestProcess } from "../support/server.ts";
import manifest from "../../deno.json" with { type: "json" };

const ROOT = new URL("../..", import.meta.url);

const CHANGELOG =
  "# Changelog\n\n## 1.2.0 - 2026-02-01\n\n- It does more.\n\n## 1.1.0 - 2026-01-01\n";

Deno.test("releaseProblems() has nothing to say where all agrees", () => {
  assertEquals(
    releaseProblems({
      tag: "v1.2.0",
      version: "1.2.0",
      changelog: CHANGELOG,
    }),
    [],
  );
});

Deno.test("releaseProblems() tells of another tag, and of a changelog that is behind or empty", () => {
  const problems = (tag: string, version: string, changelog = CHANGELOG) =>
    releaseProblems({ tag, version, changelog });
  assertEquals(problems("1.2.0", "1.2.0"), [
    'Cannot release tag "1.2.0": "version" in deno.json wants "v1.2.0"',
  ]);
  assertEquals(problems("v1.2.0", "1.3.0"), [
    'Cannot release tag "v1.2.0": "version" in deno.json wants "v1.3.0"',
    'Cannot release 1.3.0: the first section of CHANGELOG.md must be "## 1.3.0 - YYYY-MM-DD", it is "## 1.2.0 - 2026-02-01"',
  ]);
  assertEquals(problems("v1.1.0", "1.1.0"), [
    'Cannot release 1.1.0: the first section of CHANGELOG.md must be "## 1.1.0 - YYYY-MM-DD", it is "## 1.2.0 - 2026-02-01"',
  ]);
  assertEquals(problems("v1.2.0", "1.2.0", "## 1.2.0\n\n- It does more.\n"), [
    'Cannot release 1.2.0: the first section of CHANGELOG.md must be "## 1.2.0 - YYYY-MM-DD", it is "## 1.2.0"',
  ]);
  assertEquals(problems("v1.2.0", "1.2.0", "# Changelog\n"), [
    'Cannot release 1.2.0: the first section of CHANGELOG.md must be "## 1.2.0 - YYYY-MM-DD", it is missing',
  ]);
  assertEquals(
    problems(
      "v1.2.0",
      "1.2.0",
      "## 1.2.0 - 2026-02-01\n\n## 1.1.0\n\n- It does much.\n",
    ),
    [
      'Cannot release 1.2.0: its section of CHANGELOG.md must have a bullet, "- ...", for each change: it has none',
    ],
  );
});

Deno.test("tools/release.ts lets this version pass under its own tag alone", async () => {
  const release = (...args: string[]) =>
    new TestProcess(
      ["run", "-q", "--no-prompt", "--allow-read", "tools/release.ts", ...args],
      { cwd: fileURLToPath(ROOT) },
    );
  await using right = release(`v${manifest.version}`);
  assertEquals(await right.status(), 0, right.stderr);
  assertStringIncludes(right.stdout, "\n- ");
  await using wrong = release("v99.0.0");
  assertEquals(await wrong.status(), 1);
  assertStringIncludes(wrong.stderr, 'Cannot release tag "v99.0.0"');
  await using none = release();
  assertEquals(await none.status(), 2);
});

Deno.test("the publishing workflow checks the tag, runs the gate with the gate's Deno, and asks for provenance", async () => {
  const read = (name: string) => Deno.readTextFile(new URL(name, ROOT));
  const workflow = await read(".github/workflows/publish.yml");
  const [gate, publish] = workflow.split(/^ {2}publish:$/m);
  assertStringIncludes(gate!, 'tools/release.ts "$GITHUB_REF_NAME"');
  assertStringIncludes(gate!, "run: .ci/run\n");
  assertEquals(gate!.includes("id-token"), false);
  assertStringIncludes(publish!, "needs: gate\n");
  assertStringIncludes(publish!, "id-token: write\n");
  assertStringIncludes(publish!, " publish\n");
  const versions = (text: string) =>
    new Set([...text.matchAll(/deno@([\d.]+)/g)].map((match) => match[1]));
  assertEquals(versions(workflow), versions(await read(".ci/run")));
  assertEquals(versions(workflow), versions(await read("README.md")));
});
