/**
 * Finds the job that made a batch throw, by running its halves, and theirs.
 *
 * A pure state machine. It names the jobs to run next, takes the end of their run,
 * and returns the jobs whose own end is known then.
 *
 * @module
 */

import type { Outcome } from "../job/decide.ts";
import type { BatchOutcome } from "../job/runner.ts";

/** An outage shows in as many quarters. */
const QUARTERS = 4;

/**
 * So many jobs that throw alone, one after the other, are an outage, too: more
 * than a FIFO group has in a batch.
 */
const MAX_ALONE = 11;

/** How a run of some jobs of a batch ended. */
export interface RunEnd extends BatchOutcome {
  /** Whether one of them is to blame for `outcome`, and nobody knows which. */
  readonly isDoubtful: boolean;
}

/** A job whose end is known. */
export interface Ended<Job> {
  readonly job: Job;
  readonly outcome: Outcome;
}

/** An outage: what all quarters of a batch threw. */
interface Outage {
  /** How many jobs stay in the queue because of it. */
  readonly jobs: number;
  readonly error: unknown;
}

/** What a split must know of its jobs. */
interface SplitRules<Job> {
  /** FIFO: a part is settled before a later one runs. */
  readonly inOrder: boolean;
  /** Whether a job stays in the queue during an outage. */
  readonly mayStay: (job: Job) => boolean;
  /** Whether a job's message leaves the queue after an outcome. */
  readonly leaves: (job: Job, outcome: Outcome) => boolean;
}

/** Jobs that run together: depth 0 is the batch, depth 2 its quarters. */
interface Part<Job> {
  readonly jobs: readonly Job[];
  readonly depth: number;
}

/** A batch, from its first run until each job's end is known. */
export class BatchSplit<Job> {
  readonly #rules: SplitRules<Job>;
  /** What has to run, the next first. */
  #parts: readonly Part<Job>[];
  /**
   * Failures that are not reported yet: in an outage, their jobs stay. Nothing is
   * held any more once it is known whether there is one.
   */
  #held: Ended<Job>[] = [];
  #isKnown = false;
  /** How many quarters may still show that there is no outage. */
  #quarters = QUARTERS;
  #alone = 0;
  /** Set once there is one. */
  outage: Outage | undefined;

  constructor(jobs: readonly Job[], rules: SplitRules<Job>) {
    this.#parts = [{ jobs, depth: 0 }];
    this.#rules = rules;
  }

  /** The jobs of the next run; none if there is no further run. */
  get next(): readonly Job[] {
    return this.#parts[0]?.jobs ?? [];
  }

  /** Takes jobs out that do not run any more, and returns them. */
  drop(isDropped: (job: Job) => boolean): Job[] {
    const dropped = this.#parts.flatMap(({ jobs }) => jobs.filter(isDropped));
    if (dropped.length === 0) return dropped;
    this.#parts = this.#parts.flatMap(({ jobs, depth }) => {
      const left = jobs.filter((job) => !isDropped(job));
      if (left.length === 0) this.#threw(depth);
      return left.length === 0 ? [] : [{ jobs: left, depth }];
    });
    return dropped;
  }

  /**
   * Takes the end of the run of {@linkcode next}.
   *
   * @returns The jobs whose end is known now, in order.
   */
  end({ outcome, own: ownEnds = [], ran, isDoubtful }: RunEnd): Ended<Job>[] {
    const own = new Map(
      ownEnds.map(({ position, outcome }) => [position, outcome]),
    );
    const [part = { jobs: [], depth: 0 }, ...parts] = this.#parts;
    const { depth } = part;
    const jobs = part.jobs.slice(0, ran);
    const later = part.jobs.slice(jobs.length);
    this.#parts = later.length === 0
      ? parts
      : [{ jobs: later, depth }, ...parts];
    const rest = own.size === 0 ? jobs : jobs.filter((_, i) => !own.has(i));
    // Without four quarters, nothing tells an outage from bad jobs.
    if (depth === 0 && rest.length < QUARTERS) this.#isKnown = true;
    const isOne = isDoubtful && rest.length > 1;
    const ends = jobs.flatMap((job, i) => {
      const end = own.get(i) ?? (isOne ? undefined : outcome);
      return end === undefined ? [] : [{ job, outcome: end }];
    });
    if (rest.length === 0) return ends;
    if (outcome.kind === "done") {
      this.#isKnown = true;
      return [...this.takeHeld(), ...ends];
    }
    if (isOne) this.#halve(rest, depth + 1);
    else if (isDoubtful) this.#alone++;
    if (!isOne || depth === 2) this.#threw(depth);
    const known = ends.filter((end) =>
      end.outcome !== outcome || !isDoubtful || !this.#hold(end)
    );
    return this.#isOutage ? [...this.#keep(outcome.error), ...known] : known;
  }

  /** At the end, the failures that were held: there was no outage. */
  takeHeld(): Ended<Job>[] {
    return this.#held.splice(0);
  }

  #halve(jobs: readonly Job[], depth: number): void {
    const middle = Math.ceil(jobs.length / 2);
    const halves = [jobs.slice(0, middle), jobs.slice(middle)]
      .map((half) => ({ jobs: half, depth }));
    // In order, the first half is through before the second runs.
    this.#parts = this.#rules.inOrder
      ? [...halves, ...this.#parts]
      : [...this.#parts, ...halves];
  }

  /** Holds a failure back that would not be one in an outage. */
  #hold(end: Ended<Job>): boolean {
    const { mayStay, leaves } = this.#rules;
    const isHeld = !this.#isKnown && mayStay(end.job) &&
      leaves(end.job, end.outcome);
    if (isHeld) this.#held.push(end);
    return isHeld;
  }

  /** Some quarters do not show that there is no outage. */
  #threw(depth: number): void {
    if (depth <= 2) this.#quarters -= QUARTERS / 2 ** depth;
  }

  get #isOutage(): boolean {
    if (this.#isKnown) return false;
    return this.#quarters <= 0 ||
      this.#rules.inOrder && this.#alone >= MAX_ALONE;
  }

  /** There is an outage: all that may stay does, and the others run on. */
  #keep(error: unknown): Ended<Job>[] {
    this.#isKnown = true;
    const jobs = [
      ...this.takeHeld().map(({ job }) => job),
      ...this.drop(this.#rules.mayStay),
    ];
    if (jobs.length > 0) this.outage = { jobs: jobs.length, error };
    const outcome: Outcome = { kind: "transient", error, isLogged: true };
    return jobs.map((job) => ({ job, outcome }));
  }
}
