import { assert, assertEquals } from "@std/assert";
import { BatchSplit, type RunEnd } from "../../src/engine/batch_split.ts";
import type { Outcome } from "../../src/job/decide.ts";

const ERROR = new Error("bad");
const DONE: RunEnd = { outcome: { kind: "done" }, isDoubtful: false };
const THROWN: RunEnd = {
  outcome: { kind: "failed", error: ERROR },
  isDoubtful: true,
};

interface Play {
  /** The jobs of a batch: 1, 2, 3 ... */
  readonly jobs: number;
  readonly inOrder?: boolean;
  /** How a run ends. */
  readonly run: (jobs: readonly number[]) => RunEnd;
  /** Whether a job stays in an outage; all do by default. */
  readonly mayStay?: (job: number) => boolean;
  /** Whether failed jobs leave the queue. */
  readonly leaves?: boolean;
}

/** Plays a batch: its runs, and how each job ended, in that order. */
function play({ jobs, inOrder = false, run, ...rest }: Play) {
  const { mayStay = () => true, leaves = true } = rest;
  const all = Array.from({ length: jobs }, (_, i) => i + 1);
  const split = new BatchSplit(all, { inOrder, mayStay, leaves: () => leaves });
  const runs: string[] = [];
  const ends: string[] = [];
  const note = (list: readonly { job: number; outcome: Outcome }[]) => {
    for (const { job, outcome } of list) ends.push(`${job} ${outcome.kind}`);
  };
  while (split.next.length > 0) {
    const { next } = split;
    runs.push(next.join(" "));
    note(split.end(run(next)));
    assert(runs.length < 3 * jobs + 10, "it does not end");
  }
  note(split.takeHeld());
  assertEquals(ends.length, jobs, ends.join());
  return { runs, ends, outage: split.outage };
}

/** Runs with one of these jobs throw. */
function bad(...jobs: number[]): Play["run"] {
  return (run) => run.some((job) => jobs.includes(job)) ? THROWN : DONE;
}

function kinds(ends: readonly string[], kind: string): string {
  return ends.filter((end) => end.endsWith(` ${kind}`))
    .map((end) => end.split(" ")[0]).toSorted((a, b) => +a! - +b!).join(" ");
}

Deno.test("BatchSplit ends a batch that returned after one run", () => {
  const { runs, ends } = play({ jobs: 3, run: () => DONE });
  assertEquals(runs, ["1 2 3"]);
  assertEquals(ends, ["1 done", "2 done", "3 done"]);
});

Deno.test("BatchSplit halves level by level until the bad job is alone", () => {
  const { runs, ends } = play({ jobs: 8, run: bad(3) });
  assertEquals(runs, [
    "1 2 3 4 5 6 7 8",
    "1 2 3 4",
    "5 6 7 8",
    "1 2",
    "3 4",
    "3",
    "4",
  ]);
  assertEquals(kinds(ends, "failed"), "3");
  assertEquals(kinds(ends, "done"), "1 2 4 5 6 7 8");
});

Deno.test("BatchSplit in order settles the earlier part before a later one runs", () => {
  const { runs, ends } = play({ jobs: 8, run: bad(3), inOrder: true });
  assertEquals(runs, [
    "1 2 3 4 5 6 7 8",
    "1 2 3 4",
    "1 2",
    "3 4",
    "3",
    "4",
    "5 6 7 8",
  ]);
  assertEquals(ends.map((end) => Number(end[0])), [1, 2, 3, 4, 5, 6, 7, 8]);
});

Deno.test("BatchSplit finds several bad jobs, wherever they are", () => {
  for (const inOrder of [false, true]) {
    for (let jobs = 1; jobs <= 12; jobs++) {
      for (let first = 1; first <= jobs; first++) {
        for (const wrong of [[first], [first, Math.ceil(jobs / 2)]]) {
          const { ends } = play({ jobs, run: bad(...wrong), inOrder });
          const expected = [...new Set(wrong)].toSorted((a, b) => a - b);
          const isOutage = jobs === expected.length && jobs >= 4;
          if (!isOutage) {
            assertEquals(kinds(ends, "failed"), expected.join(" "));
          }
        }
      }
    }
  }
});

Deno.test("BatchSplit stops if all four quarters throw", () => {
  const { runs, ends, outage } = play({ jobs: 40, run: () => THROWN });
  assertEquals(runs.length, 7);
  assertEquals(kinds(ends, "transient").split(" ").length, 40);
  assertEquals(outage, { jobs: 40, error: ERROR });
});

Deno.test("BatchSplit in order stops after each quarter threw, or eleven jobs alone", () => {
  const four = play({ jobs: 4, run: () => THROWN, inOrder: true });
  assertEquals(four.runs, ["1 2 3 4", "1 2", "1", "2", "3 4", "3", "4"]);
  assertEquals(kinds(four.ends, "transient"), "1 2 3 4");
  const many = play({ jobs: 1000, run: () => THROWN, inOrder: true });
  assertEquals(many.outage?.jobs, 1000);
  assert(many.runs.length < 40, `${many.runs.length} runs`);
});

Deno.test("BatchSplit tells ten bad jobs of a FIFO group from an outage", () => {
  const ten = Array.from({ length: 10 }, (_, i) => i + 1);
  const { ends, outage } = play({
    jobs: 50,
    run: bad(...ten),
    inOrder: true,
  });
  assertEquals(kinds(ends, "failed"), ten.join(" "));
  assertEquals(outage, undefined);
});

Deno.test("BatchSplit knows no outage of fewer than four jobs", () => {
  for (const inOrder of [false, true]) {
    for (const jobs of [1, 2, 3]) {
      const { ends, outage } = play({ jobs, run: () => THROWN, inOrder });
      assertEquals(kinds(ends, "failed").split(" ").length, jobs);
      assertEquals(outage, undefined);
    }
  }
});

Deno.test("BatchSplit fails jobs that may not stay, in an outage, too", () => {
  for (const inOrder of [false, true]) {
    const { ends, outage } = play({
      jobs: 8,
      run: () => THROWN,
      mayStay: (job) => job !== 2 && job !== 7,
      inOrder,
    });
    assertEquals(kinds(ends, "failed"), "2 7");
    assertEquals(kinds(ends, "transient"), "1 3 4 5 6 8");
    assertEquals(outage?.jobs, 6);
    const last = play({ jobs: 8, run: () => THROWN, mayStay: () => false });
    assertEquals(kinds(last.ends, "failed"), "1 2 3 4 5 6 7 8");
    assertEquals(last.outage, undefined);
  }
});

Deno.test("BatchSplit fails the jobs that it held back if any run returns", () => {
  const { ends, outage } = play({ jobs: 4, run: bad(1, 2, 3), inOrder: true });
  assertEquals(outage, undefined);
  assertEquals(ends, ["1 failed", "2 failed", "3 failed", "4 done"]);
});

Deno.test("BatchSplit reports a job at once that stays whatever it is", () => {
  const split = new BatchSplit([1, 2, 3, 4], {
    inOrder: true,
    mayStay: () => true,
    leaves: () => false,
  });
  split.end(THROWN);
  split.end(THROWN);
  assertEquals(split.end(THROWN).map(({ job }) => job), [1]);
  // Its group is released.
  assertEquals(split.drop((job) => job === 2), [2]);
  assertEquals(split.next, [3, 4]);
});

Deno.test("BatchSplit leaves all jobs that end in the same way", () => {
  const outcome: Outcome = { kind: "transient", error: ERROR };
  const { runs, ends, outage } = play({
    jobs: 6,
    run: () => ({ outcome, isDoubtful: false }),
  });
  assertEquals(runs.length, 1);
  assertEquals(kinds(ends, "transient"), "1 2 3 4 5 6");
  assertEquals(outage, undefined);
});

Deno.test("BatchSplit takes the ends of single jobs, and halves the others", () => {
  const own = [
    { position: 0, outcome: { kind: "unfit", error: ERROR } as const },
    { position: 4, outcome: { kind: "unfit", error: ERROR } as const },
  ];
  const { runs, ends } = play({
    jobs: 5,
    run: (jobs) => jobs.length === 5 ? { ...THROWN, own } : bad(3)(jobs),
  });
  assertEquals(runs, ["1 2 3 4 5", "2 3", "4", "2", "3"]);
  assertEquals(ends.slice(0, 2), ["1 unfit", "5 unfit"]);
  assertEquals(kinds(ends, "failed"), "3");
  const partial = play({ jobs: 5, run: () => ({ ...DONE, own }) });
  assertEquals(kinds(partial.ends, "done"), "2 3 4");
});
