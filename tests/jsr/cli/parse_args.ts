/**
 * A stand-in for `@std/cli/parse-args`, for networks that do not reach jsr.io:
 * written for this project, and no more than it uses. Its types are wider than
 * the real ones.
 *
 * @module
 */

/** What the arguments held: positional ones in `_`, the others by name. */
// deno-lint-ignore no-explicit-any
export type Args = Record<string, any> & {
  /** The positional arguments. */
  _: Array<string | number>;
};

/** Options for {@linkcode parseArgs}. */
export interface ParseOptions {
  /** Whether what follows `--` goes to the result's `--`, and not to `_`. */
  "--"?: boolean;
  /** Other names of an argument. */
  alias?: Readonly<Record<string, string | readonly string[]>>;
  /** The arguments that are switches; `true` for all with two hyphens. */
  boolean?: boolean | string | readonly string[];
  /** The arguments whose values are gathered in an array. */
  collect?: string | readonly string[];
  /** The values of arguments that are not given. */
  default?: Readonly<Record<string, unknown>>;
  /** The arguments that `--no-NAME` sets to false. */
  negatable?: string | readonly string[];
  /** Whether everything after the first positional argument is positional. */
  stopEarly?: boolean;
  /** The arguments whose values stay strings. */
  string?: string | readonly string[];
  /** Called with each argument not named here; `false` leaves it out. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

type Value = string | boolean;

/** Reads command line arguments. */
export function parseArgs(
  args: readonly string[],
  options: ParseOptions = {},
): Args {
  return new Parser(options).parse(args);
}

class Parser {
  readonly #options: ParseOptions;
  readonly #aliases: Map<string, string[]> = new Map();
  readonly #booleans: Set<string>;
  readonly #strings: Set<string>;
  readonly #collected: Set<string>;
  readonly #negatable: Set<string>;
  readonly #result: Args = { _: [] };

  constructor(options: ParseOptions) {
    this.#options = options;
    for (const [name, others] of Object.entries(options.alias ?? {})) {
      const group = [name, ...toArray(others)];
      for (const member of group) {
        this.#aliases.set(member, group.filter((other) => other !== member));
      }
    }
    this.#booleans = this.#withAliases(options.boolean);
    this.#strings = this.#withAliases(options.string);
    this.#collected = this.#withAliases(options.collect);
    this.#negatable = this.#withAliases(options.negatable);
  }

  parse(args: readonly string[]): Args {
    const end = args.indexOf("--");
    const rest = end === -1 ? [] : args.slice(end + 1);
    const queue = end === -1 ? [...args] : args.slice(0, end);
    for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
      if (/^--./s.test(arg)) this.#parseLong(arg, queue);
      else if (/^-./s.test(arg)) this.#parseShort(arg, queue);
      else {
        this.#addPositional(arg);
        if (this.#options.stopEarly) this.#result._.push(...queue.splice(0));
      }
    }
    this.#addDefaults();
    if (this.#options["--"]) this.#result["--"] = rest;
    else this.#result._.push(...rest);
    return this.#result;
  }

  #parseLong(arg: string, queue: string[]): void {
    const negated = /^--no-./s.test(arg);
    const start = negated ? 5 : 2;
    const equals = arg.indexOf("=", start + 1);
    const bare = arg.slice(start, equals === -1 ? undefined : equals);
    if (equals !== -1) {
      const text = arg.slice(equals + 1);
      const value = this.#booleans.has(bare) ? text !== "false" : text;
      this.#set(bare, value, arg);
      return;
    }
    if (negated && this.#negatable.has(bare)) {
      this.#set(bare, false, arg, false);
      return;
    }
    const name = negated ? `no-${bare}` : bare;
    const next = queue[0];
    const takesValue = this.#options.boolean !== true &&
      !next?.startsWith("-");
    this.#setWithNext(name, arg, queue, takesValue);
  }

  #parseShort(arg: string, queue: string[]): void {
    const letters = arg.slice(1);
    for (let index = 0; index < letters.length - 1; index++) {
      const name = letters[index]!;
      const rest = letters.slice(index + 1);
      const value = this.#attachedValue(name, rest);
      if (value !== undefined) {
        this.#set(name, value, arg);
        if (rest !== "-") return;
      } else this.#set(name, this.#emptyValue(name), arg);
    }
    const last = letters.at(-1)!;
    if (last === "-") return;
    this.#setWithNext(last, arg, queue, !/^--?[^-]/.test(queue[0] ?? ""));
  }

  #attachedValue(name: string, rest: string): string | undefined {
    if (rest === "-") return rest;
    if (rest === "=") return "";
    if (/[a-z]/i.test(name)) {
      const assigned = /=(.+)/.exec(rest);
      if (assigned !== null) return assigned[1];
      if (/\d+(\.\d*)?(e-?\d+)?$/.test(rest)) return rest;
    }
    return rest.length > 1 && /^\W/.test(rest) ? rest : undefined;
  }

  #setWithNext(
    name: string,
    arg: string,
    queue: string[],
    takesValue: boolean,
  ): void {
    const next = queue[0];
    if (next && takesValue && !this.#isBoolean(name)) {
      this.#set(name, queue.shift()!, arg);
    } else if (next === "true" || next === "false") {
      this.#set(name, queue.shift() === "true", arg);
    } else this.#set(name, this.#emptyValue(name), arg);
  }

  #set(name: string, value: Value, arg: string, collect = true): void {
    const { boolean, unknown } = this.#options;
    const known = this.#booleans.has(name) || this.#strings.has(name) ||
      this.#collected.has(name) || this.#aliases.has(name) ||
      (boolean === true && /^--[^=]+$/.test(arg));
    if (!known && unknown?.(arg, name, value) === false) return;
    const final = typeof value === "string" && !this.#strings.has(name)
      ? toNumber(value)
      : value;
    for (const member of this.#groupOf(name)) {
      this.#assign(member, final, collect && this.#collected.has(name));
    }
  }

  #addPositional(arg: string): void {
    if (this.#options.unknown?.(arg) === false) return;
    this.#result._.push(this.#strings.has("_") ? arg : toNumber(arg));
  }

  #addDefaults(): void {
    for (const [name, value] of Object.entries(this.#options.default ?? {})) {
      if (this.#has(name)) continue;
      for (const member of this.#groupOf(name)) this.#assign(member, value);
    }
    for (const name of this.#booleans) {
      if (this.#has(name)) continue;
      this.#assign(name, this.#collected.has(name) ? [] : false);
    }
    for (const name of this.#strings) {
      if (!this.#has(name) && this.#collected.has(name)) this.#assign(name, []);
    }
  }

  #assign(name: string, value: unknown, collect = false): void {
    const path = name.split(".");
    if (path.some((key) => key === "__proto__" || key === "constructor")) {
      return;
    }
    const last = path.pop()!;
    // deno-lint-ignore no-explicit-any
    let target: Record<string, any> = this.#result;
    for (const key of path) target = target[key] ??= {};
    if (!collect) target[last] = value;
    else if (Array.isArray(target[last])) target[last].push(value);
    else target[last] = target[last] ? [target[last], value] : [value];
  }

  #has(name: string): boolean {
    let target: unknown = this.#result;
    return name.split(".").every((key) => {
      if (Object(target) !== target || !Object.hasOwn(target as object, key)) {
        return false;
      }
      target = (target as Record<string, unknown>)[key];
      return true;
    });
  }

  #groupOf(name: string): string[] {
    return [name, ...this.#aliases.get(name) ?? []];
  }

  #isBoolean(name: string): boolean {
    return this.#groupOf(name).some((member) => this.#booleans.has(member));
  }

  #emptyValue(name: string): Value {
    return this.#strings.has(name) ? "" : true;
  }

  #withAliases(
    names: boolean | string | readonly string[] | undefined,
  ): Set<string> {
    const given = typeof names === "boolean" ? [] : toArray(names ?? []);
    return new Set(
      given.filter(Boolean).flatMap((name) => this.#groupOf(name)),
    );
  }
}

function toArray(names: string | readonly string[]): readonly string[] {
  return typeof names === "string" ? [names] : names;
}

function toNumber(value: string): string | number {
  const number = Number(value);
  return value.trim() !== "" && Number.isFinite(number) ? number : value;
}
