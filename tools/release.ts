/**
 * Checks that a release's tag, the version in `deno.json` and the top of
 * `CHANGELOG.md` agree.
 *
 * ```sh
 * deno run --allow-read tools/release.ts v0.1.0
 * ```
 *
 * It prints the changelog of the version. If something is wrong, it prints all
 * problems, and exits with 1.
 *
 * @module
 */

const USAGE = "Usage: deno run --allow-read tools/release.ts TAG";

/** The title of a version's section. */
const DATED = /^(.*) - \d{4}-\d\d-\d\d$/;

/** What a release is made of. */
interface Release {
  /** The tag, `v` and the version. */
  readonly tag: string;
  /** The version in `deno.json`. */
  readonly version: string;
  /** The text of `CHANGELOG.md`. */
  readonly changelog: string;
}

/**
 * Checks a release.
 *
 * @param release The tag, the version, and the changelog.
 * @returns One line for each problem.
 */
export function releaseProblems(
  { tag, version, changelog }: Release,
): string[] {
  const problems: string[] = [];
  if (tag !== `v${version}`) {
    problems.push(
      `Cannot release tag "${tag}": "version" in deno.json wants "v${version}"`,
    );
  }
  const [first] = sectionsOf(changelog);
  const [, released] = DATED.exec(first?.title ?? "") ?? [];
  if (first === undefined || released !== version) {
    problems.push(
      `Cannot release ${version}: the first section of CHANGELOG.md must be "## ${version} - YYYY-MM-DD", it is ${
        first === undefined ? "missing" : `"## ${first.title}"`
      }`,
    );
  } else if (!/^- \S/m.test(first.text)) {
    problems.push(
      `Cannot release ${version}: its section of CHANGELOG.md must have a bullet, "- ...", for each change: it has none`,
    );
  }
  return problems;
}

interface Section {
  readonly title: string;
  readonly text: string;
}

function sectionsOf(changelog: string): Section[] {
  return changelog.split(/^## /m).slice(1).map((section) => {
    const [title = "", ...lines] = section.split("\n");
    return { title: title.trim(), text: lines.join("\n").trim() };
  });
}

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: readonly string[]): Promise<number> {
  const [tag] = args;
  if (tag === undefined || args.length !== 1) {
    console.error(USAGE);
    return 2;
  }
  const read = (name: string) =>
    Deno.readTextFile(new URL(`../${name}`, import.meta.url));
  const { version } = JSON.parse(await read("deno.json"));
  const changelog = await read("CHANGELOG.md");
  const problems = releaseProblems({ tag, version, changelog });
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) return 1;
  console.log(sectionsOf(changelog)[0]!.text);
  return 0;
}
