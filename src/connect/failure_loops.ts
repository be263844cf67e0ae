/**
 * Failures queues that lead back: a failed job would go round without end.
 *
 * @module
 */

import { ConfigError } from "../errors.ts";
import type { OpenQueue } from "./open_queue.ts";

/** Where a container's failed jobs go. */
export interface FailureRoute {
  /** The container's ini file. */
  readonly file: string | undefined;
  /** The queues' names, ... */
  readonly names: readonly [source: string, failures: string];
  /** ... and which queues they are, whether named, given by URL or by ARN. */
  readonly source: string;
  readonly failures: string;
}

interface FailureLoop {
  /** The ini file of one of its containers. */
  readonly file: string | undefined;
  readonly problem: string;
}

/** The route of a container's failed jobs, once both queues are open. */
export function routeOf(
  file: string | undefined,
  source: OpenQueue,
  failures: OpenQueue,
): FailureRoute {
  return {
    file,
    names: [source.ref.name, failures.ref.name],
    source: identityOf(source),
    failures: identityOf(failures),
  };
}

/** Finds the routes of one run that lead back to where they begin. */
export function failureLoops(routes: readonly FailureRoute[]): FailureLoop[] {
  const loops: FailureLoop[] = [];
  const seen = new Set<FailureRoute>();
  for (const route of routes) {
    const loop = seen.has(route) ? undefined : loopFrom(route, [], routes);
    if (loop === undefined) continue;
    for (const each of loop) seen.add(each);
    const { file, names: [first] } = loop[0]!;
    const way = loop.map(({ names: [, failures] }) => failures);
    const where = file === undefined ? "" : ` in [container] of ${file}`;
    loops.push({
      file,
      problem:
        `Cannot start container as "failures"${where} leads back to its "queue", so that failed jobs would go round: ${
          [first, ...way].join(" -> ")
        }`,
    });
  }
  return loops;
}

/** Refuses containers of one run whose failed jobs would go round without end. */
export function refuseLoops(routes: readonly FailureRoute[]): void {
  const problems = failureLoops(routes).map(({ problem }) => problem);
  if (problems.length > 0) throw new ConfigError(problems);
}

/** The way from a route back to its own queue. */
function loopFrom(
  route: FailureRoute,
  before: readonly FailureRoute[],
  routes: readonly FailureRoute[],
): readonly FailureRoute[] | undefined {
  const way = [...before, route];
  if (route.failures === way[0]!.source) return way;
  for (const next of routes) {
    if (next.source !== route.failures || way.includes(next)) continue;
    const loop = loopFrom(next, way, routes);
    if (loop !== undefined) return loop;
  }
  return undefined;
}

/** A server's names differ between its URLs: its port and the path do not. */
function identityOf({ url, connection: { region } }: OpenQueue): string {
  const { port, pathname } = new URL(url);
  return `${region} ${port} ${pathname.replace(/\/+$/, "")}`;
}
