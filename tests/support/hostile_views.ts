/**
 * Views in which every text of others is hostile.
 *
 * @module
 */

/** Breaks out of every context in which pages show text, if anything does. */
const HOSTILE =
  `"'><script>ran()</script></title></textarea></pre><img src=x onerror=ran()><!--\n` +
  `javascript:ran() };*{display:none}/* \u202e\u0000 &quot;onfocus=ran()`;

/** Texts that choose between the page's own words. */
const CHOICES: ReadonlySet<string> = new Set(
  ["kind", "state", "action", "path", "problem"],
);

/** Every text of others in a view made hostile. */
export function poison<T>(value: T, key = ""): T {
  if (typeof value === "string") {
    const isChoice = value === "" || CHOICES.has(key) ||
      ["job", "json", "text"].includes(value);
    return (isChoice ? value : HOSTILE + key) as T;
  }
  if (Array.isArray(value)) return value.map((each) => poison(each)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, poison(each, name)]),
  ) as T;
}
